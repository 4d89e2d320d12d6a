"""Where curves cross a level, and which law such widths follow."""

import numpy as np
import pytest

from geomem.analysis.facts.laws import families, fits
from geomem.analysis.facts.thresholds import Crossing, crossing, thresholds
from geomem.train.sweep.results import Row

LEVELS = {"memorised": 0.9}


def _row(width, value, subjects=64, relations=2, seed=0, **fields):
    known = {
        "task.subjects": subjects,
        "task.relations": relations,
        "model.width": width,
        "model.mlp_width": 128,
        "seed": seed,
    }
    status = fields.pop("status", "done")
    return Row("", status, 1, known | fields, {"accuracy": value})


def test_a_level_is_crossed_between_two_widths():
    assert crossing({4: 0.5, 6: 1.0, 5: 0.8}, 0.9) == Crossing(5.5, 0)
    assert crossing({4: 0.5, 6: 1.0}, 1.0) == Crossing(6, 0)


def test_levels_beyond_the_widths_are_bounds():
    assert crossing({4: 0.95, 6: 1.0}, 0.9) == Crossing(4, -1)
    assert crossing({4: 0.5, 6: 0.8}, 0.9) == Crossing(6, 1)


def test_the_first_crossing_counts():
    assert crossing({2: 0.0, 3: 0.9, 4: 0.5, 5: 1.0}, 0.9) == Crossing(3, 0)


def test_seeds_and_configurations_are_told_apart():
    rows = [_row(w, v, seed=0) for w, v in ((4, 0.8), (5, 1.0))]
    rows += [_row(w, v, seed=1) for w, v in ((4, 0.7), (6, 1.1))]
    rows += [_row(w, v, subjects=128) for w, v in ((4, 0.1), (8, 0.95))]
    rows += [_row(7, 1.0, subjects=256)]  # of one width there is no curve
    rows += [_row(3, 1.0, status="diverged")]
    small, large = thresholds(rows, LEVELS)
    assert small.crossings == {0: Crossing(4.5, 0), 1: Crossing(5, 0)}
    assert small.median == 4.75
    assert small.exact
    assert large.size == (128, 2)
    assert "model.width" not in small.fields


def test_thresholds_of_the_mlp():
    rows = [_row(8, v, **{"model.mlp_width": w}) for w, v in ((16, 0.5), (32, 1.0))]
    assert thresholds(rows, LEVELS) == []
    (found,) = thresholds(rows, LEVELS, "mlp_width")
    assert found.median == pytest.approx(28.8)
    assert found.fields["model.width"] == 8


def _power(scale, b, c, jitter=(1.0,), **fields):
    rows = []
    for n in (64, 128, 256):
        for r in (2, 4, 8):
            for seed, factor in enumerate(jitter):
                at = scale * r**b * n**c * factor
                rows += [
                    _row(at - 1, 0.8, n, r, seed, **fields),
                    _row(at + 1, 1.0, n, r, seed, **fields),
                ]
    return rows


def test_a_power_law_is_found():
    rows = _power(0.5, 0.75, 0.25, jitter=(0.9, 1.0, 1.1))
    r_log_n, n_r, free = fits(thresholds(rows, LEVELS))
    assert (free.law, free.points) == ("power law", 9)
    assert (free.scale, free.relations, free.subjects) == pytest.approx((0.5, 0.75, 0.25))
    assert (free.low, free.high) == pytest.approx((0.25, 0.25))
    assert free.r2 == pytest.approx(1)
    assert n_r.r2 < r_log_n.r2 < 1
    np.testing.assert_allclose(free.width(np.array([64.0]), 4), 0.5 * 4**0.75 * 64**0.25)


def test_the_law_of_facts_is_told_from_the_law_of_the_logarithm():
    facts = {fit.law: fit.r2 for fit in fits(thresholds(_power(0.1, 1, 1), LEVELS))}
    assert facts["N R"] == pytest.approx(1)
    assert facts["R log N"] < 0.7


def test_a_family_is_what_differs_in_numbers_of_facts_alone():
    rows = _power(0.5, 1, 0.3) + _power(2, 1, 0.3, **{"task.attributes": "disjoint"})
    found = thresholds(rows, LEVELS)
    assert [len(family) for family in families(found)] == [9, 9]
    scales = [fit.scale for fit in fits(found) if fit.law == "power law"]
    assert scales == pytest.approx([0.5, 2])


def test_bounds_take_no_part_in_a_law():
    rows = _power(0.5, 0.75, 0.25)
    rows += [_row(w, 0.1, subjects=512, relations=2) for w in (4, 8)]
    assert {fit.points for fit in fits(thresholds(rows, LEVELS))} == {9}
    few = [row for row in rows if row.fields["task.relations"] == 2]
    laws = fits(thresholds(few, LEVELS))
    assert [fit.law for fit in laws] == ["R log N", "N R"]  # one R cannot tell its exponent
