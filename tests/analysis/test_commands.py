"""`geomem-analyze geometry`, `spectrum` and `recall` on a small sweep that was really trained."""

import csv
import io
import json
from functools import partial

import numpy as np
import pytest

from geomem.analysis import open_sweep
from geomem.analysis.cli import cli
from geomem.analysis.spectrum import negative_share
from geomem.train.sweep.errors import UsageError
from tests import calls
from tests.analysis.made import STEPS, make_members
from tests.analysis.trained import train_sweep

GRID = """
version: 1
name: small
defaults:
  optim: {lr: 1e-2}
  train: {steps: 40, history_every: 20}
grid:
  graph: [{kind: path_star, arms: 4, length: 4}, {kind: cycle, nodes: 9}]
  model:
    - {kind: transformer, layers: 1, width: 8, heads: 2}
    - {kind: feed_forward, width: 12, freeze_embeddings: true, token_std: 1.0}
seeds: 0-2
execution: {parameters: true, workers: 1}
"""
COMMANDS = ("geometry", "spectrum", "recall")
call = partial(calls.call, cli)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return train_sweep(tmp_path_factory.mktemp("small"), GRID)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_table_has_one_line_per_configuration(sweep, command):
    lines = call(command, sweep).splitlines()
    assert len(lines) == 2 + 4
    assert lines[2].split()[0] == "path_star"
    assert {"runs", "done"} < set(lines[0].split())


@pytest.mark.parametrize("command", COMMANDS)
def test_csv_and_json_have_one_row_per_run(sweep, command):
    rows = list(csv.DictReader(io.StringIO(call(command, sweep, "--csv"))))
    records = json.loads(call(command, sweep, "--json"))
    assert len(rows) == len(records) == 12
    assert [row["run"] for row in rows] == [member.row["run"] for member in open_sweep(sweep)]
    assert list(rows[0]) == list(records[0])
    assert len(json.loads(call(command, sweep, "--json", "--where", "model.kind=transformer"))) == 6


def test_every_row_is_that_of_its_run_alone(sweep):
    records = json.loads(call("spectrum", sweep, "--json"))
    for member, record in zip(open_sweep(sweep), records, strict=True):
        found = negative_share(member.tensor("embedding"), member.tensor("edges"))
        assert record["negative_share"] == pytest.approx(found)
        assert record["seed"] == member.config["seed"]


def test_measures_stand_where_they_have_a_meaning(sweep):
    for row in json.loads(call("geometry", sweep, "--json")):
        assert (row["top1"] is None) == (row["graph.kind"] == "cycle")
        assert -1 <= row["spearman"] <= 1
        assert (row["mean_cosine.leaves"] is None) == (row["graph.kind"] == "cycle")
        assert "spearman.leaves" not in row  # they all are the same number of hops apart
    for row in json.loads(call("spectrum", sweep, "--json")):
        assert (row["margin"] is None) == (row["model.kind"] == "transformer")
        assert 0 <= row["energy_fiedler"] <= 1
    for row in json.loads(call("recall", sweep, "--json")):
        assert 0 <= row["recovery_dot"] <= row["recovery_dot_edges"] <= 1
        if row["model.kind"] == "feed_forward":
            # The run's own measure counts the node itself and special tokens as rivals, too.
            assert row["edge_recovery"] <= row["recovery_map"] + 1e-6


@pytest.mark.parametrize("command", ["geometry", "spectrum"])
def test_history(sweep, command):
    rows = json.loads(call(command, sweep, "--json", "--history", "--where", "seed=1"))
    assert [row["step"] for row in rows] == [0, 20, 40] * 4
    last = json.loads(call(command, sweep, "--json", "--where", "seed=1"))
    for row, end in zip(rows[2::3], last, strict=True):
        name = {"geometry": "spearman", "spectrum": "effective_rank"}[command]
        assert row["run"] == end["run"]
        assert row[name] == pytest.approx(end[name])


def test_cells_are_counted_in_bits(sweep):
    low, high = (
        json.loads(call("spectrum", sweep, "--json", "--cells", cells))[0]["geometric_bits"]
        for cells in (2, 8)
    )
    assert (low, high) == (13 * 8, 13 * 8 * 3)


def test_refusals(sweep, tmp_path):
    for words, problem in (
        ((tmp_path,), "is not a sweep directory"),
        ((sweep, "--where", "modl.kind=mamba"), "Did you mean model.kind"),
        ((sweep, "--where", "seed=7"), "no run that has results meets seed=7"),
    ):
        for command in COMMANDS:
            with pytest.raises(UsageError, match=problem):
                call(command, *words)
    call("geometry", sweep, "--csv", "--json", code=2)
    call("geometry", sweep, "--history", code=2)


def test_a_run_whose_embedding_is_not_finite_has_no_measures(sweep):
    from geomem.analysis import batches, summaries

    members = open_sweep(sweep).where("model.kind=transformer", "graph.kind=cycle").members
    ((_, batch),) = batches._batches(members)
    batch.embedding[1, 2] = np.nan
    for summary in (summaries.geometry, summaries.spectrum, summaries.recall):
        rows = batches._rows(batch, summary, {})
        assert [bool(row.metrics) for row in rows] == [True, False, True]


def test_the_peak_of_an_accuracy_is_recalled_with_its_step():
    from geomem.analysis import batches, summaries

    members = make_members(seeds=3)
    rows = batches.measure(members, summaries.recall)
    for member, row in zip(members, rows, strict=True):
        curve, steps = member.tensor("metrics/exact_match")[1:], STEPS[1:]  # not measured at first
        assert row.metrics["exact_match_peak"] == curve.max()
        assert row.metrics["exact_match_peak_step"] == steps[curve.argmax()]
        assert row.metrics["first_hop_peak"] == member.tensor("metrics/first_hop").max()
    members[0].pack.entries["metrics/exact_match"][:] = np.nan
    (row,) = batches.measure(members[:1], summaries.recall)
    assert "exact_match_peak" not in row.metrics


def test_graphs_whose_fiedler_space_is_too_large_are_named(monkeypatch):
    from geomem.analysis import batches, summaries
    from geomem.analysis.commands.spectrum import _without_fiedler

    tree = {"kind": "tree_star", "arms": 60, "branching": 2, "length": 3}
    monkeypatch.setattr(summaries, "DIRECT_NODES", 10)
    for graph, named in ((tree, ["tree-star (60, 2, 3)"]), (None, [])):
        members = make_members(graph=graph)
        summaries._reference.cache_clear()
        rows = batches.measure(members, summaries.spectrum)
        summaries._reference.cache_clear()
        assert _without_fiedler(members, rows) == named


def test_embeddings_of_no_run_name_the_condition(sweep):
    with pytest.raises(UsageError, match="no run that has results meets seed=99"):
        open_sweep(sweep).embeddings("seed=99")
    with pytest.raises(ValueError, match="of one shape, got "):
        open_sweep(sweep).embeddings()
