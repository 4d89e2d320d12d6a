"""torch.compile makes a step faster, not another one."""

import shutil

import numpy as np
import pytest
import torch

from geomem.train.stack import learner, train_stack
from geomem.train.stack.compiled import Program

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="needs a C++ compiler"
)


MAMBA = {"kind": "mamba", "layers": 1, "width": 8, "state": 2}


class _Scaled:
    def __init__(self, factor):
        self.factor = factor

    def find(self, x):
        return torch.autograd.grad((self.factor * x**2).sum(), [x])[0]


def test_programs_know_their_own_object_and_every_shape():
    programs = [(_Scaled(factor), Program(_Scaled.find)) for factor in (2.0, 3.0)]
    for n in (3, 4):
        x = torch.arange(1.0, n + 1).requires_grad_()
        for scaled, program in programs:
            torch.testing.assert_close(program(scaled, x), 2 * scaled.factor * x.detach())


@pytest.mark.parametrize("model", [{"layers": 1}, MAMBA], ids=["dropout", "mamba"])
def test_a_compiled_stack_trains_as_a_plain_one(make_run, monkeypatch, model):
    """In pieces of one member: the first has no dropout, the last diverges."""
    monkeypatch.setattr(learner, "PIECE_BYTES", 1)
    train = {"steps": 8, "eval_every": 2, "edge_batch": 7, "path_batch": 3}
    runs = [
        make_run(
            s,
            task={"recipe": "mixed"},
            model=model if model is MAMBA else model | {"dropout": 0.1 * (s % 2)},
            train=train,
            optim={"lr": (1e-3, 2e-3, 1e30)[s], "clip": 0.1},
        )
        for s in range(3)
    ]
    plain, compiled = train_stack(runs), train_stack(runs, compile=True)
    members = plain.metadata["members"]
    assert [member["status"] for member in members] == ["done", "done", "diverged"]
    assert compiled.metadata["members"] == members
    for name in ("metrics/loss", "metrics/edge_loss", "embedding"):
        found, wanted = (result.tensors[name][:2] for result in (compiled, plain))
        assert np.linalg.norm(found - wanted) <= 1e-3 * np.linalg.norm(wanted), name


def test_every_stage_and_width_has_one_program(make_run, monkeypatch):
    """Edges alone, then paths alone; one member ends before the other, and is left behind."""
    made = []

    def program(function, on_cpu):
        made.append(function)
        return function

    monkeypatch.setattr(learner, "Program", program)
    train = {"edge_steps": 4, "eval_every": 2, "edge_batch": 7, "path_batch": 3}
    task = {"recipe": "staged"}
    train_stack(
        [make_run(s, task=task, train=train | {"steps": 7 + 3 * s}) for s in range(2)], compile=True
    )
    assert len(made) == 3
