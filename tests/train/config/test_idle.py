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
FACTS = {"graph": None, "task": {"kind": "facts", "subjects": 8, "relations": 2}}
# What makes it idle, and two values of the field that are then the same run.
IDLE = {
    "task.target": ({}, "full_path", "hardest_token"),
    "task.reverse_paths": ({}, False, True),
    "task.teacherless": ({}, False, True),
    "task.pauses": ({}, 1, 3),
    "task.start_node": ({}, False, True),
    "task.test_fraction": ({}, 0.25, 0.5),
    "task.split": ({}, "leaf", "first_token"),
    "task.split ": ({"task.recipe": "mixed"}, "leaf", "first_token"),
    "train.path_batch": ({}, "all", 3),
    "train.stop_when": ({}, None, {"metric": "exact_match", "reaches": 0.001}),
    "train.stop_when ": ({}, None, {"metric": "train_exact_match", "reaches": 0.001}),
    "task.task_token": ({"model": MODELS["feed_forward"]}, True, False),
    "task.task_token ": ({"model": MODELS["node2vec"], "optim.weight_decay": 0.0}, True, False),
    "model.activation": ({"model": MODELS["feed_forward"]}, "none", "gelu"),
    "model.position_std": ({"model.positions": "none"}, 0.02, 0.5),
    "model.heads": ({"model.attention": False}, 4, 2),
    "model.attribute_std": ({**FACTS, "model": {"kind": "recall", "tie": True}}, 1.0, 0.5),
    "optim.schedule": ({"optim.warmup_steps": 20}, "cosine", "constant"),
    "optim.final_lr_fraction ": ({"optim.warmup_steps": 30}, 0.1, 0.5),
    "optim.final_lr_fraction": ({"optim.schedule": "constant"}, 0.1, 0.5),
}


def _base(more):
    train = {"steps": 20, "eval_every": 10}
    base = {"graph": STAR, "model": MODELS["transformer"], "optim.lr": 1e-2, "train": train}
    return {name: value for name, value in (base | more).items() if value is not None}


@pytest.mark.parametrize("field", IDLE)
def test_what_is_called_idle_changes_no_run(field):
    more, *values = IDLE[field]
    with pytest.warns(UserWarning, match=f"configuration: {field.strip()}: changes nothing where"):
        a, b = (fit(_base(more) | {field.strip(): value}) for value in values)
    assert a.stack.run_ids != b.stack.run_ids
    assert a.tensors.keys() == b.tensors.keys()
    assert all(np.array_equal(a.tensors[name], b.tensors[name]) for name in a.tensors)
    assert np.ptp(a.embedding) > 0


def test_fit_tells_what_no_run_of_the_call_reads():
    runs = [_base({"task.pauses": 3, "seed": seed}) for seed in range(2)]
    with pytest.warns(UserWarning, match="task.pauses: changes nothing") as told:
        fit(runs)
    assert len(told) == 1
    assert told[0].filename == __file__


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


DOUBTFUL = [
    ({"train.edge_batch": 48}, None),
    ({"train.edge_batch": 49}, "49 are more than the 48 edge examples that there are"),
    ({"train.edge_batch": 25, "task.edges": "forward"}, "25 are more than the 24 edge examples"),
    ({"task.recipe": "mixed", "train.path_batch": 6}, None),
    ({"task.recipe": "mixed", "train.path_batch": 7}, "7 are more than the 6 paths to train on"),
    ({"optim.warmup_steps": 19}, None),
    ({"optim.warmup_steps": 20}, "the warm-up takes all 20 steps, and optim.lr is never reached"),
]


@pytest.mark.parametrize(("fields", "told"), DOUBTFUL)
def test_what_cannot_be_meant_is_told(tmp_path, fields, told):
    sets = [f"{name}={value}" for name, value in fields.items()]
    warnings = _grid(tmp_path, DEFAULTS, sets)
    assert len(warnings) == (told is not None)
    assert all(told in warning for warning in warnings)


STOP = "train.stop_when={metric: exact_match, reaches: 0.9}"


def test_a_stop_by_a_metric_that_is_not_measured_is_told(tmp_path):
    (warning,) = _grid(tmp_path, DEFAULTS + "  train.stop_when: {metric: first_hop, reaches: 1}\n")
    assert warning.startswith("7:20: train.stop_when: changes nothing where task.recipe is edges_o")
    assert "edge_accuracy and edge_recovery alone; leave it out" in warning
    assert len(_grid(tmp_path, DEFAULTS, [STOP])) == 1
    assert _grid(tmp_path, DEFAULTS, [STOP, "task.recipe=mixed"]) == []
    assert _grid(tmp_path, DEFAULTS, [STOP.replace("exact_match", "edge_recovery")]) == []
    both = DEFAULTS + "grid:\n  task.recipe: [edges_only, mixed]\n"
    assert _grid(tmp_path, both, [STOP]) == []


def test_one_batch_for_graphs_of_many_sizes_is_as_it_should_be(tmp_path):
    text = DEFAULTS + "  train.edge_batch: 90\ngrid:\n  graph.arms: [4, 8, 16]\n"
    assert _grid(tmp_path, text) == []


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
