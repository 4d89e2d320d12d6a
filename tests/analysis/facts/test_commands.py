"""`superposition`, `capacity` and the figures, on a small sweep of facts."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from geomem.analysis import open_sweep
from geomem.analysis.cli import COMMANDS, cli
from geomem.analysis.figures import drawn
from geomem.train.sweep.errors import UsageError
from tests.analysis.trained import train_sweep
from tests.calls import call

GRID = """
version: 1
defaults:
  task: {kind: facts, subjects: 12, relations: 2}
  model: {kind: recall, width: 4, mlp_width: 32}
  optim: {lr: 3e-2, weight_decay: 0}
  train: {steps: 150, eval_every: 50}
grid:
  task.subjects: [12, 16, 24]
  model.width: [1, 2, 8]
runs:
  - {model: {kind: transformer, layers: 1, width: 8, heads: 2}}
  - {task: {hops: 2}}
seeds: 0-1
execution: {workers: 1}
"""
GRAPH = """
version: 1
defaults:
  graph: {kind: cycle, nodes: 8}
  model: {kind: feed_forward, width: 4}
  optim: {lr: 1e-2}
  train: {steps: 2}
execution: {workers: 1}
"""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return train_sweep(tmp_path_factory.mktemp("facts"), GRID)


def test_superposition_has_every_measure_of_every_run(sweep):
    rows = json.loads(call(cli, "superposition", sweep, "--json"))
    assert len(rows) == 22
    for row in rows:
        whole = row["model.kind"] == "recall" and row["task.hops"] == 1
        assert np.isfinite(row["ridge_r2"])
        assert np.isfinite(row["probe_permuted"])
        for name in ("accuracy", "zero_shot", "zero_shot_untrained", "exchange_target"):
            assert (row[name] is not None) == (whole or name == "accuracy"), name
        assert (row["gates_open.1"] is not None) == whole


def test_superposition_prints_measures_controls_and_gates(sweep):
    lines = call(cli, "superposition", sweep, "--where", "width=8").splitlines()
    heads = [line for line in lines if "runs" in line]
    assert ["zero_shot_ridge" in h and "_untrained" not in h for h in heads] == [True, False, False]
    assert "zero_shot_untrained" in heads[1]
    assert "gates_select" in heads[2]


def test_capacity_finds_thresholds_and_laws(sweep):
    found = json.loads(call(cli, "capacity", sweep, "--json", "--memorised", "0.6"))
    memorised = [t for t in found["thresholds"] if t["kind"] == "memorised"]
    assert [(t["task.subjects"], t["seed"]) for t in memorised] == [
        (n, seed) for n in (12, 16, 24) for seed in (0, 1)
    ]
    assert all(1 <= t["width"] <= 8 for t in memorised)
    table = call(cli, "capacity", sweep, "--memorised", "0.6")
    assert table.splitlines()[0].split() == ["threshold", "subjects", "seeds", "width"]
    csv = call(cli, "capacity", sweep, "--csv").splitlines()
    assert csv[0].startswith("kind,seed,width,bound,")
    assert len(csv) == 1 + 2 * 6


def test_capacity_says_what_it_needs(sweep):
    result = CliRunner().invoke(cli, ["capacity", str(sweep), "--where", "width=8"])
    assert "a threshold takes runs that differ in model.width alone" in str(result.exception)
    result = CliRunner().invoke(cli, ["capacity", str(sweep), "--over", "mlp_width"])
    assert "differ in model.mlp_width alone" in str(result.exception)


@pytest.mark.parametrize("command", ["superposition", "capacity"])
def test_runs_without_facts_are_refused(tmp_path, command):
    result = CliRunner().invoke(cli, [command, str(train_sweep(tmp_path, GRAPH))])
    assert "none of these runs learned facts" in str(result.exception)


@pytest.mark.parametrize("command", ["geometry", "spectrum"])
@pytest.mark.parametrize("form", [(), ("--json",), ("--csv", "--history")])
def test_measures_of_a_graph_need_one(sweep, command, form):
    with pytest.raises(UsageError, match="none of these runs has a graph"):
        call(cli, command, sweep, *form)


def test_figures_of_facts(sweep):
    figures = dict(drawn(open_sweep(sweep).members))
    assert set(figures) == {
        "measures_over_steps",
        "facts_structure",
        "facts_gates",
        "facts_over_width",
        "facts_capacity",
    }
    panels = figures["facts_over_width"].axes
    assert [ax.get_title().splitlines()[-1] for ax in panels] == [
        "facts 12 × 2",
        "facts 16 × 2",
        "facts 24 × 2",
    ]
    gates = figures["facts_gates"].axes[0].images[0].get_array()
    assert gates.shape == (2, 32)
    rows = [label.get_text() for label in figures["facts_structure"].axes[0].get_yticklabels()]
    assert rows[0] == "superposition r2"


def test_figures_of_runs_without_a_network(sweep):
    members = open_sweep(sweep).where("model.kind=transformer").members
    assert {name for name, _ in drawn(members)} == {"measures_over_steps"}


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_name_the_folders_of_shipped_grids(command):
    grids = Path(__file__).parents[3].joinpath("train", "grids").rglob("*.yaml")
    names = {re.search(r"^name: (\w+)", grid.read_text(), re.MULTILINE)[1] for grid in grids}
    shown = re.findall(r"sweeps/(\w+)(?!\w|\*)", call(cli, command, "--help"))
    assert shown
    assert set(shown) <= names


def test_the_help_of_capacity_says_what_is_printed():
    text = " ".join(call(cli, "capacity", "--help").split())
    assert "one line per threshold and seed" in text
    assert "per run" not in text
