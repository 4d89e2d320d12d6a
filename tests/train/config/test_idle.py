import numpy as np
import pytest

from geomem.train import fit
from geomem.train.config.grid_file import load_grid
from geomem.train.config.shipped import shipped_grids

STAR = {"kind": "path_star", "arms": 4, "length": 4}
MODELS = {
    "transformer": {"kind": "transformer", "layers": 1, "width": 8, "token_std": 0.1},
    "feed_forward": {"kind": "feed_forward", "layers": 1, "width": 8, "token_std": 0.1},
    "node2vec": {"kind": "node2vec", "width": 8},
}
# What makes it idle, and two values of the field that are then the same run.
IDLE = {
    "task.target": ({}, "full_path", "hardest_token"),
    "task.reverse_paths": ({}, False, True),
    "task.teacherless": ({}, False, True),
    "task.pauses": ({}, 1, 3),
    "task.start_node": ({}, False, True),
    "train.path_batch": ({}, "all", 3),
    "task.task_token": ({"model": MODELS["feed_forward"]}, True, False),
    "task.task_token ": ({"model": MODELS["node2vec"], "optim.weight_decay": 0.0}, True, False),
    "model.activation": ({"model": MODELS["feed_forward"]}, "none", "gelu"),
    "model.position_std": ({"model.positions": "none"}, 0.02, 0.5),
    "model.heads": ({"model.attention": False}, 4, 2),
    "optim.final_lr_fraction": ({"optim.schedule": "constant"}, 0.1, 0.5),
}


def _base(more):
    train = {"steps": 20, "eval_every": 10}
    base = {"graph": STAR, "model": MODELS["transformer"], "optim.lr": 1e-2, "train": train}
    return base | more


@pytest.mark.parametrize("field", IDLE)
def test_what_is_called_idle_changes_no_run(field):
    more, *values = IDLE[field]
    a, b = (fit(_base(more) | {field.strip(): value}) for value in values)
    assert a.stack.run_ids != b.stack.run_ids
    assert a.tensors.keys() == b.tensors.keys()
    assert all(np.array_equal(a.tensors[name], b.tensors[name]) for name in a.tensors)
    assert np.ptp(a.embedding) > 0


def _grid(tmp_path, text, sets=()):
    path = tmp_path / "g.yaml"
    path.write_text(f"version: 1\n{text}")
    grid = load_grid(path, sets)
    return [warning.removeprefix(f"{path}:") for warning in grid.warnings]


DEFAULTS = """\
defaults:
  graph: {kind: path_star, arms: 8, length: 4}
  model: {kind: transformer, layers: 1, width: 8, heads: 2}
  optim: {lr: 1e-2}
  train: {steps: 20}
"""


def test_a_value_that_no_run_reads_is_told_with_its_place(tmp_path):
    text = DEFAULTS + "runs:\n  - {task.recipe: edges_only, task.pauses: 3}\n"
    told = "task.pauses: changes nothing where task.recipe is edges_only; leave it out"
    assert _grid(tmp_path, text) == [f"8:44: {told}"]
    assert _grid(tmp_path, text.replace("pauses: 3", "pauses: 1")) == []
    assert _grid(tmp_path, text, ["task.recipe=mixed"]) == []
    (warning,) = _grid(tmp_path, DEFAULTS, ["task.pauses=3"])
    assert warning == f"--set task.pauses=3: {told}"


def test_a_value_that_some_run_reads_is_not(tmp_path):
    text = DEFAULTS + "  task.pauses: 3\ngrid:\n  task.recipe: [edges_only, mixed]\n"
    assert _grid(tmp_path, text) == []


def test_runs_that_differ_in_idle_values_alone_are_counted(tmp_path):
    text = DEFAULTS + "grid:\n  task.recipe: [edges_only, mixed]\n  task.pauses: [0, 1, 2]\n"
    text += "seeds: 0-3\n"
    (warning,) = _grid(tmp_path, text)
    assert warning.startswith(" 8 runs differ from earlier ones in settings alone that change no")


def test_shipped_grids_set_nothing_for_nothing():
    for path in shipped_grids().values():
        assert load_grid(path).warnings == ()
