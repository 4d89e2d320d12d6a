"""torch.compile makes a step faster, not another one."""

import shutil

import numpy as np
import pytest
import torch

from geomem.kernels import AdamWHyper, adamw_step
from geomem.models import Segment
from geomem.train.stack import learner, train_stack
from geomem.train.stack.batches import Part
from geomem.train.stack.compiled import Program, Repeated

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


class _Summed:
    """Sums what it is given; all of it changes in place."""

    def __init__(self, factor):
        self.sum, self.factor = torch.zeros(2), torch.tensor(factor)

    def step(self, parts, lr):
        weighed = parts[0].segment.tokens.sum((1, 2)) * parts[0].targets.sum(1)
        self.sum.add_(self.factor * lr * weighed)


def test_a_repeated_program_is_given_the_tensors_of_every_step():
    program = Program(_Summed.step)
    owners = [(_Summed(factor), Repeated(program)) for factor in (2.0, 3.0)]
    sums, table = torch.zeros(2), torch.arange(6).view(2, 3)
    for i in range(9):
        tokens = torch.arange(2 * (3 + i % 2)).view(2, -1, 1) + i
        lr, targets = torch.tensor([1.0, 10.0]) + i, table if i < 6 else table + 1
        parts = [Part(Segment(tokens, torch.zeros(2, 0, dtype=torch.int64)), targets)]
        sums += lr * tokens.sum((1, 2)) * targets.sum(1)
        for owner, do in owners:
            do(owner, parts, lr)
            torch.testing.assert_close(owner.sum, owner.factor * sums)


def _early_steps(gradients, hyper):
    """Where AdamW takes zeros with moments of zero, members at steps of their own."""
    p, m, v = (torch.zeros_like(gradients) for _ in range(3))
    adamw_step(*([*t] for t in (p, gradients, m, v)), hyper, hyper.step > 0)
    return p


def test_compiled_early_steps_of_adamw_keep_their_digits():
    """The compiler's expm1 of eight members at once is exp - 1 in float32, which loses two."""
    gradients, step = torch.linspace(-3, 2, 640).view(4, 16, 10), torch.arange(1.0, 17.0)
    columns = (torch.full_like(step, c) for c in (1.0, 0.0, 0.0, 0.999, 0.0, 1.0))
    moved = Program(_early_steps)(gradients, AdamWHyper(*columns, step))
    beta2 = float(torch.tensor(0.999))  # in float32
    size = ((1 - beta2 ** step.double()) / (1 - beta2)).sqrt()
    expected = -gradients.sign() * size[:, None]
    torch.testing.assert_close(moved.double(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("model", "precision"),
    [({"layers": 1}, "fp32"), (MAMBA, "fp32"), ({"layers": 1}, "bf16")],
    ids=["dropout", "mamba", "bf16"],
)
def test_a_compiled_stack_trains_as_a_plain_one(make_run, monkeypatch, model, precision):
    """In pieces of one member: the first has no dropout, the last diverges."""
    monkeypatch.setattr(learner, "PIECE_BYTES", 1)
    train = {"steps": 8, "eval_every": 2, "edge_batch": 7, "path_batch": 3}
    train["precision"], budget = precision, {"fp32": 1e-3, "bf16": 2e-2}[precision]
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
        assert np.linalg.norm(found - wanted) <= budget * np.linalg.norm(wanted), name


def test_every_stage_and_width_has_one_program(make_run, uncompiled):
    """Edges alone, then paths alone; one member ends before the other, and is left behind."""
    train = {"edge_steps": 4, "eval_every": 2, "edge_batch": 7, "path_batch": 3}
    task = {"recipe": "staged"}
    train_stack(
        [make_run(s, task=task, train=train | {"steps": 7 + 3 * s}) for s in range(2)], compile=True
    )
    assert len(uncompiled) == 3
