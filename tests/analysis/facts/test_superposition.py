"""Measures of superpositions that are known, and of tables that are none."""

import numpy as np
import pytest

from geomem.analysis.facts.maps import ReadOut, composed, fitted_maps, read_out, ridge_map
from geomem.analysis.facts.superposition import (
    explained,
    held_out_fits,
    permuted,
    read_by_jacobian,
    superposition,
)
from tests.analysis.facts.made import drawn, facts_from, run_of, superposed


def test_ridge_is_least_squares_on_both_sides():
    rng = np.random.default_rng(0)
    for n, size in ((50, 7), (7, 50)):
        inputs, outputs = rng.standard_normal((n, size)), rng.standard_normal((n, 3))
        ridge = 1e-2 * (inputs**2).sum() / size
        stacked = np.concatenate([inputs, np.sqrt(ridge) * np.eye(size)])
        padded = np.concatenate([outputs, np.zeros((size, 3))])
        expected = np.linalg.lstsq(stacked, padded)[0]
        np.testing.assert_allclose(ridge_map(inputs, outputs), expected, rtol=1e-8, atol=1e-10)


def test_the_inverse_undoes_the_jacobians_as_far_as_it_can():
    run = run_of(width=8, mlp_width=40)
    facts = facts_from(run, drawn(run))
    readout = read_out(facts.network, facts.subjects)
    forth = np.concatenate(list(readout.jacobians), 1)  # [D, R D]
    back = np.concatenate(list(readout.inverse), 0)  # [R D, D]
    gram = forth @ forth.T
    ridge = 1e-2 * np.trace(gram) / len(gram) * np.eye(len(gram))
    np.testing.assert_allclose(forth @ back, gram @ np.linalg.inv(gram + ridge), atol=1e-9)


def test_a_superposition_is_seen_and_other_bijections_are_not():
    facts, maps = superposed()
    other = permuted(facts.answers, np.random.default_rng(1))
    readout = ReadOut(maps.transpose(0, 2, 1), maps)
    assert superposition(facts, readout, facts.answers) == pytest.approx(1)
    assert superposition(facts, readout, other) < 0.05


def test_a_multiple_is_as_good_and_noise_takes_its_share():
    facts, maps = superposed(noise=np.sqrt(2.0))  # as much as the attributes bring
    readout = ReadOut(5 * maps.transpose(0, 2, 1), maps)
    assert superposition(facts, readout, facts.answers) == pytest.approx(0.5, abs=0.05)
    assert explained(np.zeros((3, 2)), np.zeros((3, 2))) == 0


def test_fits_hold_on_subjects_that_they_never_saw():
    facts, maps = superposed(subjects=400, relations=2, width=40)
    rng = np.random.default_rng(2)
    found = held_out_fits(facts, facts.answers, rng)
    assert found["ridge_r2"] > 0.99
    fitted = fitted_maps(facts)
    assert explained(composed(facts, maps), composed(facts, fitted)) > 0.99
    control = held_out_fits(facts, permuted(facts.answers, rng), rng)
    assert control["ridge_r2"] < 0
    assert control["probe"] < 0.05


def test_a_probe_reads_what_is_there_and_forgets_what_is_not():
    facts, _ = superposed(subjects=400, relations=1, width=20)
    found = held_out_fits(facts, facts.answers, np.random.default_rng(0))
    assert found["probe"] > 0.9
    few, _ = superposed(subjects=40, relations=1, width=39)
    control = held_out_fits(
        few, permuted(few.answers, np.random.default_rng(3)), np.random.default_rng(4)
    )
    assert control["probe_seen"] == 1  # nothing is there, and yet it reads where it was fitted
    assert control["probe"] < 0.2


def test_the_jacobian_reads_what_its_transpose_laid_down():
    facts, maps = superposed(subjects=60, relations=2, width=59)
    assert read_by_jacobian(facts, ReadOut(maps.transpose(0, 2, 1), maps)) > 0.9
    assert read_by_jacobian(facts, ReadOut(maps, maps)) < 0.1
