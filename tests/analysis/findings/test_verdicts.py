"""Every rule can be met, missed in each of its checks, and left undecided."""

import numpy as np
import pytest

from geomem.analysis.findings import FINDINGS, MIN_SEEDS, Check, judge
from geomem.analysis.findings.finding import verdict_of
from tests.analysis.findings.cases import ALONG, CASES
from tests.analysis.findings.packs import STEPS, curve, made

BY_NUMBER = {finding.number: finding for finding in FINDINGS}


def asked(finding):
    """The places of the checks that a verdict rests on; 1c has one more where Mamba was run."""
    places = [at for at, check in enumerate(judge(finding, []).checks) if check.asked]
    return places + [len(places)] * (finding.number == "1c")


def test_every_finding_has_runs_that_show_it():
    assert list(CASES) == list(BY_NUMBER)


@pytest.mark.parametrize("number", CASES)
def test_runs_that_show_a_finding_reproduce_it(number):
    judged = judge(BY_NUMBER[number], CASES[number](MIN_SEEDS, None))
    assert [check for check in judged.checks if check.asked and not check.holds] == []
    assert judged.verdict == "reproduced"
    assert all(len(check.values) == MIN_SEEDS for check in judged.checks)


@pytest.mark.parametrize(("number", "at"), [(f.number, at) for f in FINDINGS for at in asked(f)])
def test_each_check_can_fail(number, at):
    finding = BY_NUMBER[number]
    judged = judge(finding, CASES[number](MIN_SEEDS, at))
    assert judged.verdict == "not reproduced"
    failed = {place for place in asked(finding) if judged.checks[place].holds is False}
    assert failed == {at} | ALONG.get((number, at), set())


@pytest.mark.parametrize("number", CASES)
def test_fewer_seeds_than_five_decide_nothing(number):
    for broken in (None, asked(BY_NUMBER[number])[0]):
        judged = judge(BY_NUMBER[number], CASES[number](MIN_SEEDS - 1, broken))
        assert judged.verdict == "not tested"
        assert all(check.holds is None for check in judged.checks)


@pytest.mark.parametrize("number", CASES)
def test_runs_of_another_kind_decide_nothing(number):
    finding = BY_NUMBER[number]
    assert judge(finding, []).verdict == "not tested"
    for check in judge(finding, []).checks:
        assert (check.values, check.holds) == ((), None)
    assert finding.figure([]) is None


@pytest.mark.parametrize("number", CASES)
def test_every_finding_has_a_figure(number):
    assert BY_NUMBER[number].figure(CASES[number](MIN_SEEDS, None)) is not None


def test_a_check_that_is_only_told_decides_nothing():
    told = Check("what", "", "runs", (1.0,) * 5, None)
    held, failed = told._replace(asked="x", holds=True), told._replace(asked="x", holds=False)
    assert verdict_of([told]) == "not tested"
    assert verdict_of([told, held]) == "reproduced"
    assert verdict_of([held, failed]) == "not reproduced"
    assert verdict_of([held, told._replace(asked="x")]) == "not tested"


def of(number, members):
    return judge(BY_NUMBER[number], members).checks


def test_a_peak_before_the_path_stage_is_none_of_it():
    peaks = {"metrics/first_hop": curve(1, 0, 0, 0.7, 0.1)}
    task = {"recipe": "staged"}
    mixed = made(5, {"metrics/first_hop": curve(0, 1, 1)})
    staged = made(5, peaks, task=task, train={"edge_steps": 100})
    highest, moment, lost, _ = of("8", [*staged, *mixed])
    assert highest.values == pytest.approx([curve(1, 0, 0, 0.7, 0.1)[10:].max()] * 5)
    assert moment.values == (50,) * 5
    assert lost.values == pytest.approx([highest.values[0] - 0.1] * 5)


def test_without_an_evaluation_in_the_path_stage_there_is_no_peak():
    peaks = {"metrics/first_hop": np.where(STEPS <= 100, 0.9, np.nan)}
    staged = made(5, peaks, task={"recipe": "staged"}, train={"edge_steps": 100})
    mixed = made(5, {"metrics/first_hop": curve(0, 1, 1)})
    for check in of("8", [*staged, *mixed])[:3]:
        assert (check.values, check.holds, check.seeds) == ((), None, 5)
        assert check.needs == "an evaluation in the path stage"


def test_a_side_of_too_few_seeds_leaves_the_others_undecided():
    failing = made(5, {"metrics/first_hop": curve(0, 1, 0)})
    staged = {"metrics/first_hop": curve(0, 0.9, 0.2)}
    few = made(2, staged, task={"recipe": "staged"}, train={"edge_steps": 100})
    checks = of("8", [*failing, *few])
    assert [(len(check.values), check.holds) for check in checks] == [(2, None)] * 3 + [(5, None)]


def test_labels_tell_compared_runs_apart():
    for number in CASES:
        for check in of(number, CASES[number](MIN_SEEDS, None)):
            one, _, other = check.runs.partition(" − ")
            assert one != other, (number, check.what)
    leaf, first, apart, *_ = of("10", CASES["10"](MIN_SEEDS, None))
    assert "split leaf" in leaf.runs
    assert "split first_token" in first.runs
    assert apart.runs == f"{leaf.runs} − {first.runs}"
    _, paths, _, edges = of("2", CASES["2"](MIN_SEEDS, None))
    assert paths.runs != edges.runs
