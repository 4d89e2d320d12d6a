"""A step, its sampling included, asks nothing of the host."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from geomem.kernels.adamw_step import api as adamw
from geomem.kernels.linear_cross_entropy import api as loss
from geomem.train.stack.batches import tensors_of
from geomem.train.stack.build import build_model, build_task
from geomem.train.stack.members import Rates, Settings, stages_of
from geomem.train.stack.state import State
from geomem.train.stack.step import Step

WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero", "equal")
KINDS = {
    "transformer": {"layers": 2, "dropout": 0.1},
    "mamba": {"kind": "mamba", "layers": 1, "width": 16, "state": 4},
}


class _NoWaiting(TorchDispatchMode):
    """Refuses operations whose result a host has to wait for."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().split("::")[1].split(".")[0]
        assert name not in WAITING, f"{name} waits for the device"
        if name == "index":
            kinds = {i.dtype for i in args[1] if i is not None}
            assert torch.bool not in kinds, "a mask as index waits for the device"
        return func(*args, **(kwargs or {}))


def _prepared(make_run, kind, seeds=3, **sections):
    train = {"steps": 20, "edge_batch": 7, "path_batch": 3} | sections.pop("train", {})
    task = {"recipe": "mixed"} | sections.pop("task", {})
    runs = [make_run(s, model=KINDS[kind], task=task, train=train) for s in range(seeds)]
    device = torch.device("cpu")
    task = build_task(runs, device)
    model = build_model(runs[0], task)
    state = State(runs, model, device)
    step = Step(runs, model, state, Settings(runs, device))
    stage = stages_of(runs[0])[0]
    task.enter(stage)
    step.start(stage, 0)
    return task, state, step, Rates(runs, 0).table(0, 20)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_waits_for_nothing(make_run, monkeypatch, kind):
    for op in (adamw, loss):
        monkeypatch.setattr(op, "implementation", lambda *_: "reference")  # as a device has it
    task, state, step, rates = _prepared(make_run, kind)
    before = state.arena.params["embedding"].detach().clone()
    task.prepare(0, 3)
    with _NoWaiting():
        for i in range(3):
            step(task.parts(step.in_stage), rates[i])
    assert (state.arena.params["embedding"] != before).flatten(1).any(1).all()


def test_the_guard_sees_waiting():
    with pytest.raises(AssertionError, match="waits"), _NoWaiting():
        bool(torch.ones(2).sum() > 1)
    with pytest.raises(AssertionError, match="mask"), _NoWaiting():
        torch.ones(2)[torch.tensor([True, False])]


def test_a_full_batch_is_the_same_tensors_in_each_step(make_run):
    """So that a graph reads them in place."""
    task, *_ = _prepared(make_run, "transformer", train={"edge_batch": "all", "path_batch": "all"})
    pairs = zip(tensors_of([task.parts(0)]), tensors_of([task.parts(1)]), strict=True)
    assert all(a is b for a, b in pairs)
