"""Steps on the kernels themselves, as models lay out what these read and write."""

import sys

import numpy as np
import pytest

from geomem.kernels.choice import choose, recorded_choices
from geomem.models import layers
from geomem.train.stack import train_stack
from tests.first_step import first_step

MIXED = {"recipe": "mixed", "pauses": 1}
CASES = {
    "transformer": {"model": {"layers": 2}, "task": MIXED},
    "bf16": {"model": {"layers": 2}, "task": MIXED, "train": {"precision": "bf16"}},
    "dropout": {"model": {"dropout": 0.1, "residual": False}, "task": MIXED},
    "no attention": {"model": {"attention": False}},
    "no norm": {"model": {"norm": False, "positions": "sinusoidal"}, "task": MIXED},
    "in context": {
        "graph": {"arms": 2, "length": 3},
        "task": {"kind": "in_context", "test_examples": 4},
        "train": {"path_batch": 4},
    },
    "mamba": {"model": {"kind": "mamba", "width": 8, "state": 4}, "task": MIXED},
}


@pytest.fixture
def kernels(monkeypatch):
    """Return a function after which `auto` stands for Triton's kernels, as it does on a GPU."""

    def on_a_gpu(op, known, impl, auto):
        return choose(op, known, impl, "triton" if "triton" in known else auto)

    def take():
        for name, module in list(sys.modules.items()):
            if name.startswith("geomem.kernels.") and hasattr(module, "choose"):
                monkeypatch.setattr(module, "choose", on_a_gpu)
        monkeypatch.setattr(layers, "joins_passes", lambda device_type: True)

    return take


def _runs(make_run, sections):
    batches = {"edge_batch": 7, "path_batch": 3} if sections.get("task") is MIXED else {}
    train = {"steps": 2, "eval_every": 2, **batches, **sections.get("train", {})}
    return [make_run(seed, **{**sections, "train": train}) for seed in range(2)]


@pytest.mark.parametrize("case", CASES)
def test_a_step_on_kernels_finds_what_one_without_does(make_run, kernels, case):
    runs = _runs(make_run, CASES[case])
    params, _, plain = first_step(runs)
    kernels()
    with recorded_choices() as ran:
        found = first_step(runs)[2]
    assert set(ran.values()) == {"triton"}
    assert {"linear_cross_entropy", "member_norm"} < ran.keys()
    budget = 3e-2 if case == "bf16" else 1e-5
    np.testing.assert_allclose(found.loss, plain.loss, rtol=budget)
    np.testing.assert_allclose(found.norm, plain.norm, rtol=budget)
    for name, a, b in zip(params, found.gradients, plain.gradients, strict=True):
        assert a.dtype == b.dtype, name
        # Of keys' biases, which have no gradient, there is but rounding to compare.
        if b.norm() > 1e-3 * plain.norm.max():
            assert (a.double() - b.double()).norm() <= budget * b.double().norm(), name


def test_training_on_kernels_is_what_it_is_without(make_run, kernels):
    """The optimiser and the measures, too."""
    runs = _runs(make_run, CASES["no attention"])
    plain = train_stack(runs)
    kernels()
    found = train_stack(runs)
    assert set(found.metadata["implementations"].values()) - {"mkl", "onednn"} == {"triton"}
    assert plain.tensors.keys() == found.tensors.keys()
    for name, wanted in plain.tensors.items():
        np.testing.assert_allclose(found.tensors[name], wanted, rtol=1e-4, atol=1e-5, err_msg=name)
