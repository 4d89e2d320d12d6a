"""Counts what a step of the benchmark's points launches, moves and holds on a GPU, without one.

Tensors have shapes and no values. A launch moves what it reads and writes once; Triton's are
counted by their arguments, which is too much where a kernel touches few rows. Run in a process that
has the library of `library.py`; by itself this makes it first:

    python -m tests.emulated.count tiny g256 g5000_steps memory
"""

import os
import sys
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from pydantic import BaseModel
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from triton.runtime.jit import JITFunction

from geomem.bench.throughput.catalog import POINTS
from geomem.bench.throughput.points import MemoryPoint, Shape, timed_run
from geomem.kernels import Targets
from geomem.models import output_matrix
from geomem.train.stack.build import build_model, build_task
from geomem.train.stack.members import Rates, Settings, stages_of
from geomem.train.stack.state import State
from geomem.train.stack.step import Step
from tests.emulated import library, machine
from tests.emulated.tensors import DEVICE

CPU = torch.device("cpu")
BANDWIDTH, LAUNCH = 4.0e12, 2e-6  # bytes/s and s: of an H200, as kernels reach them
BLOCK = 512  # bytes, by which memory is handed out
FREE = {
    "alias",
    "as_strided",
    "detach",
    "device",
    "empty",
    "empty_like",
    "empty_strided",
    "expand",
    "lift_fresh",
    "new_empty",
    "new_empty_strided",
    "permute",
    "promote_types",
    "select",
    "slice",
    "split",
    "split_with_sizes",
    "squeeze",
    "t",
    "transpose",
    "unbind",
    "unsqueeze",
    "view",
    "_unsafe_view",
}  # views, and what asks nothing of the device


@dataclass
class Count:
    """bytes: of each launch; held, peak: of tensors, now and at most."""

    bytes: list[int] = field(default_factory=list)
    held: int = 0
    peak: int = 0

    def launch(self, tensors):
        self.bytes.append(sum(map(_moved, tensors)))

    def hold(self, t, known):
        storage = t.untyped_storage()
        if storage._cdata not in known:
            size = -(-storage.nbytes() // BLOCK) * BLOCK
            known[storage._cdata] = size
            weakref.finalize(storage, self._let_go, storage._cdata, known)
            self.held += size
            self.peak = max(self.peak, self.held)

    def _let_go(self, key, known):
        self.held -= known.pop(key)

    @property
    def seconds(self):
        """Of a device that does one launch after the other."""
        return sum(max(LAUNCH, each / BANDWIDTH) for each in self.bytes)


class Shapes(TorchDispatchMode):
    """Tensors of the GPU without values, and what is done to them."""

    def __init__(self, count):
        super().__init__()
        self._count, self._known = count, {}
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        device = kwargs.get("device")
        ours = [a for a in tree_leaves((args, kwargs)) if isinstance(a, FakeTensor)]
        if not ours and (device is None or torch.device(device).type != "cuda"):
            return func(*args, **kwargs)
        args, kwargs = tree_map(self._faked, (args, kwargs))
        if func is torch.ops.aten.baddbmm.dtype_out:  # for which there is no rule
            out = kwargs["out"]
        else:
            with self._fake:
                out = func(*args, **kwargs)
        found = [t for t in tree_leaves(out) if isinstance(t, FakeTensor)]
        for t in found:
            self._count.hold(t, self._known)
        if func.name().split("::")[1].split(".")[0] not in FREE:
            self._count.launch([*ours, *found])
        return out

    def _faked(self, value):
        real = isinstance(value, torch.Tensor) and not isinstance(value, FakeTensor)
        return self._fake.from_tensor(value) if real else value


def _moved(t):
    """Bytes of a tensor; what is expanded counts once."""
    size = t.element_size()
    for length, stride in zip(t.shape, t.stride(), strict=True):
        size *= length if stride else 1
    return size


def _move(value):
    """Bring every tensor of an object of ours to the device."""
    if isinstance(value, torch.Tensor):
        return value.to(DEVICE)
    if isinstance(value, list):
        return [_move(each) for each in value]
    if isinstance(value, Targets):
        return Targets(*map(_move, value))
    if type(value).__module__.startswith("geomem.") and not isinstance(value, BaseModel):
        for name, own in vars(value).items():
            object.__setattr__(value, name, _move(own))
    return value


def count_step(config, members):
    """Count what the second step of a stack takes, its sampling included."""
    count = Count()

    def launch(kernel, *args, grid, warmup, **kwargs):
        count.launch([a for a in tree_leaves((args, kwargs)) if isinstance(a, FakeTensor)])

    runs = [timed_run(config, seed, members) for seed in range(members)]
    task = build_task(runs, CPU)
    stage = stages_of(runs[0])[0]
    task.enter(stage)
    task.prepare(0, 2)
    with pytest.MonkeyPatch.context() as patch:
        machine.see_a_gpu(patch)
        patch.setattr(JITFunction, "run", launch)
        patch.setattr(FakeTensor, "data_ptr", lambda t: t.storage_offset() * t.element_size())
        with Shapes(count):
            model = build_model(runs[0], task)
            state = State(runs, model, DEVICE)
            known = task.known_tokens(output_matrix(state.arena.params).shape[1])
            step = Step(runs, model, state, Settings(runs, DEVICE), known)
            step.start(stage, 0)
            rates = Rates(runs, 0).table(0, 2).to(DEVICE)
            _move(task)
            for lr in rates:
                count.bytes.clear()
                step(task.parts(step.in_stage), lr)
    return count


def _shape(name):
    point = POINTS[name]
    if isinstance(point, MemoryPoint):
        return point.config, Shape(1, precision=point.config["train"]["precision"])
    return point.config, point.shapes["cuda"][0]


def main(names):
    for name in names:
        config, shape = _shape(name)
        config = {**config, "train": {**config["train"], "precision": shape.precision}}
        found = count_step(config, shape.members)
        print(
            f"{name} K={shape.members} {shape.precision}: {len(found.bytes)} launches, "
            f"{sum(found.bytes) / 1e9:.2f} GB, {found.seconds * 1e3:.2f} ms at best, "
            f"{found.peak / 2**30:.2f} GiB held"
        )


if __name__ == "__main__":
    if "device.so" not in os.environ.get("LD_PRELOAD", ""):
        if reason := library.why_not():
            sys.exit(reason)
        with tempfile.TemporaryDirectory() as folder:
            found = library.environment(Path(folder))
            command = [sys.executable, "-m", "tests.emulated.count", *sys.argv[1:]]
            sys.exit(os.spawnve(os.P_WAIT, sys.executable, command, {**os.environ, **found}))
    main(sys.argv[1:])
