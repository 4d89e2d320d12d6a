"""The tables of the page: the measures of `geomem-train results`, and fields to the last digit."""

from html import escape

import pytest

from geomem.analysis.report.limits import Limits
from geomem.analysis.report.tables import (
    EXPLAINED,
    GEOMETRY,
    configurations,
    measured_rows,
    run_table,
)
from geomem.train.sweep.results import Row
from geomem.train.sweep.table import HEADLINES
from tests.analysis.made import make_members


def _table(rows):
    found = run_table(rows, Limits())
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def _row(fields, metrics):
    return Row("0" * 64, "done", 5, fields, metrics)


def test_every_measure_of_results_is_shown_and_explained():
    assert {*HEADLINES, *GEOMETRY} == set(EXPLAINED)
    rows = [_row({"seed": 0}, dict.fromkeys(EXPLAINED, 0.123456))]
    assert set(_table(rows)[0]) == {"seed", "status", "run", *EXPLAINED}
    page = configurations(rows, Limits())
    for name, text in EXPLAINED.items():
        assert f'title="{escape(text)}">{name}</th>' in page.replace("<wbr>", "")


def test_accuracies_of_facts_are_measured():
    members = make_members(2)
    entries = members[0].pack.entries
    entries["metrics/accuracy"] = entries["metrics/exact_match"]
    entries["metrics/step_accuracy"] = entries["metrics/target_accuracy"]
    members[0].pack.names = sorted(entries)
    for at, row in enumerate(measured_rows(members)):
        assert row.metrics["accuracy"] == row.metrics["exact_match"]
        steps = entries["metrics/target_accuracy"][at, -1]
        assert row.metrics["step_accuracy"] == pytest.approx(steps.mean())


def test_integers_beyond_those_of_javascript_are_text():
    seeds = [0, 2**53 - 1, 2**53 + 1, 2**63 - 1]
    rows = [_row({"seed": seed}, {"loss": 0.5}) for seed in seeds]
    assert [row["seed"] for row in _table(rows)] == [*seeds[:2], *map(str, seeds[2:])]


def test_only_measures_are_rounded():
    rates = [0.001, 0.0010000001]
    found = _table([_row({"optim.lr": lr, "seed": 0}, {"loss": 0.123456}) for lr in rates])
    assert [row["lr"] for row in found] == rates
    assert [row["loss"] for row in found] == [0.1235] * 2
