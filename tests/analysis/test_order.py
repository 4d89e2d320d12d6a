"""Runs come in the order of the grid, however they were stacked."""

from geomem.analysis import open_sweep
from geomem.analysis.batches import measure
from geomem.analysis.summaries import geometry
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.results import read_rows
from geomem.train.sweep.state import read_state
from tests.analysis.made import make_members
from tests.analysis.trained import train_sweep

GRID = """
version: 1
defaults:
  graph: {kind: cycle, nodes: 5}
  train: {steps: 2}
grid:
  optim.lr: [1e-2, 1e-3]
  model: [{kind: feed_forward, width: 4}, {kind: feed_forward, width: 6}]
seeds: 0-1
execution: {workers: 1}
"""


def test_a_sweep_is_in_the_order_of_its_results(tmp_path):
    path = train_sweep(tmp_path, GRID)
    sweep = open_sweep(path)
    rows = read_rows(Folder(path), read_state(Folder(path)))
    assert len(sweep) == 8
    assert len({id(member.opened) for member in sweep}) == 2
    assert [member.row["run"] for member in sweep] == [row.run for row in rows]


def test_measures_are_in_the_order_of_the_members():
    wide = make_members(2, model={"kind": "mamba", "width": 16})
    plain = make_members(2)
    members = [plain[1], wide[0], plain[0], wide[1]]
    order = [(member.config["seed"], member.row["model.kind"]) for member in members]
    rows = measure(members, geometry)
    assert [(row.fields["seed"], row.fields["model.kind"]) for row in rows] == order
    kept = measure(members, geometry, history=True)
    assert [(row.fields["seed"], row.fields["model.kind"]) for row in kept[::3]] == order
    assert [row.fields["step"] for row in kept] == [0, 10, 20] * 4
