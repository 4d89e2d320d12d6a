"""Which runs stand for a check."""

import math

from geomem.analysis.findings.choice import PATHS, choose, nodes
from geomem.analysis.findings.measures import final, lowest_unseen_token, per_run
from geomem.analysis.findings.settings import (
    NOTHING,
    Setting,
    best,
    best_group,
    difference,
    families,
    largest,
    on_one_graph,
    side_by_side,
    together,
)
from tests.analysis.findings.packs import STAR, curve, made

exact = final("exact_match")


def ends(value):
    return {"metrics/exact_match": curve(0, value)}


def test_the_best_median_of_enough_seeds_stands_for_all():
    few = made(4, ends(0.9), optim={"lr": 1e-3})
    low, high = made(5, ends(0.2)), made(6, ends(0.5), optim={"lr": 1e-4})
    found = best([*few, *low, *high], exact)
    assert list(found.by_seed.values()) == [0.5] * 6
    assert list(best([*few, *low, *high], exact, highest=False).by_seed.values()) == [0.2] * 5
    assert list(best(few, exact).by_seed.values()) == [0.9] * 4
    assert best([], exact) == NOTHING
    assert best_group([], exact) == ()


def test_a_run_that_diverged_gets_nothing_right():
    members = made(5, ends(0.9))
    members[2].pack.members[2]["status"] = "diverged"
    assert list(best(members, exact).by_seed.values()) == [0.9, 0.9, 0, 0.9, 0.9]
    nothing = best(members, per_run("metrics/target_accuracy", lowest_unseen_token, "paths"))
    assert (nothing.by_seed, nothing.seeds, nothing.needs) == ({}, set(range(5)), "paths")


def test_runs_are_chosen_by_fields_that_they_have():
    plain = made(1, ends(1))
    mamba = made(1, ends(1), model="mamba")
    reverse = made(1, ends(1), task={"recipe": "mixed", "reverse_paths": True})
    everyone = [*plain, *mamba, *reverse]
    assert choose(everyone, PATHS) == [*plain, *mamba]
    assert choose(everyone, PATHS, {"task.reverse_paths": True}) == reverse
    assert choose(everyone, {"model.heads": 2}) == everyone  # Mamba has none
    assert choose(everyone, {"model.kind": ("mamba", "node2vec")}) == mamba


def test_the_largest_size_with_enough_seeds():
    small, large = made(5, ends(1)), made(4, ends(1), graph={**STAR, "arms": 256})
    assert largest([*small, *large], nodes) == small
    assert largest(large, nodes) == large
    assert largest([], nodes) == []


def test_sides_meet_on_the_largest_graph_that_both_have():
    sizes = {size: made(5, ends(1), graph={**STAR, "arms": size}) for size in (128, 256, 512)}
    few = made(2, ends(1), graph={**STAR, "arms": 512}, model="mamba")
    other = made(5, ends(1), graph={**STAR, "arms": 256}, model="mamba")
    left = [*sizes[128], *sizes[256], *sizes[512]]
    assert on_one_graph(left, [*few, *other]) == [sizes[256], other]
    assert on_one_graph(left, few) == [sizes[512], few]
    assert on_one_graph(left, []) == [[], []]
    assert on_one_graph(sizes[128], other) == [[], []]
    # A side without runs does not take those of the others away, but all sides are preferred.
    assert on_one_graph(left, few, []) == [sizes[512], few, []]
    one = made(1, ends(1), graph={**STAR, "arms": 128}, task={"recipe": "mixed", "pauses": 2})
    both = [*other, *made(1, ends(1), graph={**STAR, "arms": 128}, model="mamba")]
    assert on_one_graph(left, both, one) == [sizes[128], both[5:], one]


def test_families_differ_in_one_field_alone():
    members = [
        member
        for pauses in (0, 1)
        for rate in (0.1, 0.2)
        for member in made(
            2, ends(1), task={"recipe": "mixed", "pauses": pauses}, optim={"lr": rate}
        )
    ]
    found = families(members, "task.pauses")
    assert [sorted(family) for family in found] == [[0, 1], [0, 1]]
    assert all(len(of) == 2 for family in found for of in family.values())


def test_differences_are_taken_seed_by_seed():
    a, b = Setting("a", {0: 1.0, 1: 3.0, 2: math.inf}), Setting("b", {1: 1.0, 2: math.inf, 3: 0.0})
    assert difference(a, b) == Setting("a − b", {1: 2.0})
    assert difference(a, NOTHING) == NOTHING
    assert together([a, b], "least", min) == Setting("least", {1: 1.0, 2: math.inf})
    assert together([a, NOTHING], "least", min) == NOTHING
    assert together([], "least", min) == NOTHING


def test_labels_name_what_differs():
    sides = [made(2, ends(1), task={"recipe": "mixed", "pauses": n}) for n in (0, 4)]
    few, many = side_by_side(sides, exact)
    assert few.label == "transformer, pauses 0, path-star (128, 5)"
    assert difference(many, few).label == f"transformer, pauses 4, path-star (128, 5) − {few.label}"
    assert side_by_side([[], sides[0]], exact)[0] == NOTHING


def test_seeds_that_were_run_are_known_without_values():
    run = [*made(5, {}), *made(2, ends(1), optim={"lr": 1e-3})]
    assert best(run[:5], exact).seeds == set(range(5))
    assert best(run, exact).seeds == {0, 1}
    both = difference(best(run[:5], exact), best(run[5:], exact))
    assert (both.by_seed, both.seeds) == ({}, {0, 1})
