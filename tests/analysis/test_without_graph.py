"""Runs that learned no graph, beside one that did: what is measured and drawn of them."""

import json

import pytest
from click.testing import CliRunner

from geomem.analysis import open_sweep
from geomem.analysis.cli import cli
from geomem.analysis.figures import drawn
from geomem.train.sweep.errors import UsageError
from tests.analysis.trained import train_sweep

GRID = """
version: 1
defaults:
  graph: {kind: path_star, arms: 2, length: 4}
  task: {kind: in_context}
  model: {kind: transformer, layers: 1, width: 8, heads: 2}
  optim: {lr: 1e-2}
  train: {steps: 6, path_batch: 4, history_every: 3}
runs:
  - {task.teacherless: true}
  - {task.reverse_paths: true}
  - {task: {kind: in_weights}, train: {path_batch: all}}
seeds: 0-1
execution: {workers: 1}
"""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return train_sweep(tmp_path_factory.mktemp("context"), GRID)


def _call(*words):
    result = CliRunner().invoke(cli, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_measures_of_graphs_are_left_out(sweep):
    rows = json.loads(_call("recall", sweep, "--json"))
    assert len(rows) == 6
    for row in rows:
        in_context = row["task.kind"] == "in_context"
        assert (row.get("recovery_dot") is None) == in_context
        assert (row.get("first_hop") is not None) == in_context


@pytest.mark.parametrize(
    ("command", "measure"), [("geometry", "level"), ("spectrum", "effective_rank")]
)
def test_commands_for_graphs_go_on_with_the_runs_that_have_one(sweep, command, measure):
    rows = json.loads(_call(command, sweep, "--json"))
    assert [row["task.kind"] for row in rows] == ["in_weights"] * 2
    assert all(row[measure] is not None for row in rows)
    with pytest.raises(UsageError, match="none of these runs has a graph"):
        _call(command, sweep, "--where", "task.kind=in_context")


def test_only_figures_of_accuracies_are_drawn(sweep):
    alone = open_sweep(sweep).where("task.kind=in_context").members
    assert {name for name, _ in drawn(alone)} == {"measures_over_steps", "accuracy_per_token"}
    both = {name for name, _ in drawn(open_sweep(sweep).members)}
    assert {"embeddings", "spectra_over_steps", "accuracy_per_token"} <= both
    tokens = dict(drawn(alone))["accuracy_per_token"]
    titles = [ax.get_title().replace("\n", " ") for ax in tokens.axes[:2]]
    assert "in-context, teacherless" in titles[0]
    assert "in-context, reverse paths" in titles[1]


def test_the_page_says_that_there_are_no_nodes_to_show(sweep, tmp_path):
    page = tmp_path / "page.html"
    _call("report", sweep, "--where", "task.kind=in_context", "--out", page)
    assert "None of these runs learned one graph" in page.read_text()
    _call("report", sweep, "--out", page)
    assert "None of these runs" not in page.read_text()
