"""`geomem.train.fit`: what a notebook gets is what a sweep of the same runs would have left."""

import doctest
import subprocess
import sys

import numpy as np
import pytest

import geomem.train
from geomem.train import fit
from geomem.train.config import ConfigError, load_grid
from geomem.train.packs import DiskError, open_pack
from tests.analysis.trained import train_sweep

GRID = """
version: 1
defaults:
  graph: {kind: path_star, arms: 6, length: 4}
  task.recipe: mixed
  model: {kind: transformer, layers: 1, width: 8, heads: 2}
  optim.lr: 1e-2
  train: {steps: 12, eval_every: 4}
seeds: 0-2
execution: {workers: 1}
"""
STAR = {
    "graph": {"kind": "path_star", "arms": 6, "length": 4},
    "task.recipe": "mixed",
    "model": {"kind": "transformer", "layers": 1, "width": 8, "heads": 2},
    "optim.lr": 1e-2,
    "train": {"steps": 12, "eval_every": 4},
}
RUNS = [{**STAR, "seed": seed} for seed in range(3)]


def test_the_example_of_the_docstring_holds():
    assert "fit(" in geomem.train.__doc__
    assert doctest.testmod(geomem.train).failed == 0


def test_a_run_of_a_list_is_named_by_its_place():
    with pytest.raises(ConfigError, match=r"^configuration 1: optim.lr: has to be greater than 0"):
        fit([STAR, {**STAR, "optim.lr": -1}])
    with pytest.raises(ConfigError, match=r"^configuration: optim.lr: has to be greater than 0"):
        fit({**STAR, "optim.lr": -1})


def test_a_saved_pack_is_the_very_pack_of_a_sweep(tmp_path):
    (swept,) = (train_sweep(tmp_path, GRID) / "packs").iterdir()
    saved = fit(RUNS, device="cpu").save(tmp_path / "fitted.safetensors")
    ours, theirs = open_pack(saved), open_pack(swept)
    times = {"wall_seconds", "digest"}
    for name in ours.metadata.keys() | theirs.metadata.keys():
        assert name in times or ours.metadata[name] == theirs.metadata[name], name
    assert not ours.damaged()


def test_one_run_has_no_member_axis_and_a_list_of_one_has():
    alone, listed = fit(RUNS[1]), fit([RUNS[1]])
    assert alone.embedding.shape == (19, 8)
    assert listed.embedding.shape == (1, 19, 8)
    assert np.array_equal(alone.embedding, listed.embedding[0])
    assert alone.steps.tolist() == [4, 8, 12]
    assert alone.metrics["target_accuracy"].shape == (3, 4)
    assert listed.metrics["exact_match"].shape == (1, 3)
    assert alone.tensor("arms").shape == listed.tensor("arms").shape == (6, 4)
    assert alone.status == ["done"]


def test_runs_of_a_grid_file_and_mappings_are_the_same_runs(tmp_path):
    (tmp_path / "grid.yaml").write_text(GRID)
    assert fit(load_grid(tmp_path / "grid.yaml").runs).stack == fit(RUNS).stack


def test_parameters_are_kept_when_asked_for():
    assert any(name.startswith("parameters/") for name in fit(RUNS[0], parameters=True).tensors)
    assert not any(name.startswith("parameters/") for name in fit(RUNS[0]).tensors)


def test_a_graph_file_is_known_by_its_content(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "e.txt").write_text("a b\nb c\n")
    short = {"model": STAR["model"], "optim": {"lr": 1e-2}, "train": {"steps": 1}}
    result = fit({"graph": {"kind": "edge_list", "path": "e.txt"}, **short})
    (run,) = result.stack.runs
    assert run.graph.path == str(tmp_path / "e.txt")
    assert len(run.graph.sha256) == 64


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({**STAR, "optim.lr": "fast"}, "configuration: optim.lr: expected a number, got the text"),
        ({**STAR, "optim.rate": 1}, "configuration: optim.rate: unknown key"),
        ({**STAR, "seed": -1}, "configuration: seed: expected an integer from 0 to"),
        ({**STAR, "model": {"kind": "mamba2"}}, "unknown kind 'mamba2'.* Did you mean mamba?"),
        ([], "no configuration"),
        ([STAR, STAR], "runs 0 and 1 are equal"),
        ([STAR, {**STAR, "task.pauses": 2}], r"differ in task.pauses \(1 and 2\); call fit"),
        (None, r"a list of such runs, got nothing; those of a grid are load_grid\(...\).runs"),
        (3, "a list of such runs, got 3; those of a grid"),
        ("tiny_graphs", "got the text 'tiny_graphs'; those of a grid"),
        ([3], "expected a run's fields, such as {'optim.lr': 1e-2}, got 3"),
        ({**STAR, "train": {"steps": np.array([1, 2])}}, "steps: expected an integer, got a list"),
        ({**STAR, "seed": {1}}, "seed: expected an integer from 0 to .*, got a value of type set"),
        ({**STAR, "seeds": "0-3"}, "^seeds: a run has one `seed`; give a list of runs"),
        ({**STAR, "graph.arms": 8}, "configuration: graph.arms: given twice; keep one of them"),
    ],
)
def test_refusals_name_the_field(config, problem):
    with pytest.raises(ConfigError, match=problem):
        fit(config)


def test_a_mapping_that_contains_itself_is_refused():
    endless: dict[str, object] = dict(STAR)
    endless["task"] = endless
    with pytest.raises(ConfigError, match="fields nest without end"):
        fit(endless)


@pytest.mark.parametrize("device", ["gpu", None, "cuda:0"])
def test_a_device_that_is_none_is_refused(device):
    with pytest.raises(ConfigError, match="device: expected auto, cpu or cuda, got "):
        fit(RUNS[0], device=device)


def test_cuda_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device here; take cpu, or auto"):
        fit(RUNS[0], device="cuda")


def test_values_may_be_numpys_and_paths_path_objects(tmp_path):
    (tmp_path / "e.txt").write_text("a b\nb c\n")
    short = {"model": STAR["model"], "optim.lr": 1e-2, "train.steps": 1, "seed": 1}
    plain = {**short, "graph": {"kind": "edge_list", "path": str(tmp_path / "e.txt")}}
    given = {
        **plain,
        "graph": {"kind": "edge_list", "path": tmp_path / "e.txt"},
        "model": {**STAR["model"], "width": np.int32(8)},
        "optim.lr": np.float64(1e-2),
        "optim.betas": np.array([0.9, 0.999]),
        "task.self_edges": np.bool_(False),
        "seed": np.arange(3)[1],
    }
    assert fit(given).stack == fit(plain).stack


def test_a_loss_is_known_right_after_an_evaluation(monkeypatch):
    monkeypatch.setattr("geomem.train.stack.loop.REPORT_SECONDS", 0)
    told = []
    result = fit({**STAR, "train": {"steps": 5, "eval_every": 1}}, report=told.append)
    assert [progress.step for progress in told] == [1, 2, 3, 4, 5]
    assert np.array_equal([progress.loss for progress in told], result.metrics["loss"])


def test_an_unknown_tensor_and_a_missing_folder(tmp_path):
    result = fit(RUNS[0])
    with pytest.raises(KeyError, match="no tensor 'embeddings'; there are arms, edges"):
        result.tensor("embeddings")
    with pytest.raises(DiskError, match="absent"):
        result.save(tmp_path / "absent" / "pack.safetensors")


def test_a_divergence_is_told():
    assert fit({**STAR, "optim.lr": 1e9}).status == ["diverged"]


def test_the_package_alone_imports_no_torch():
    code = "import sys, geomem.train; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
