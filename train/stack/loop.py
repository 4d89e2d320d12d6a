"""Train stacks from their runs to the tensors of their packs."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from geomem.kernels.choice import recorded_choices
from geomem.kernels.cpu_matmul import fast_products
from geomem.kernels.cuda_matmul import float32_sums
from geomem.train.config.run import RunConfig
from geomem.train.stack import checkpoint as checkpoints
from geomem.train.stack.build import build_task
from geomem.train.stack.result import Found, StackResult, collect, provenance
from geomem.train.stack.trainer import Progress, Trainer

REPORT_SECONDS = 0.5


class Interrupted(Exception):
    """Training was asked to stop; what was done stands in the checkpoint."""


@contextlib.contextmanager
def _denormals_flushed() -> Iterator[None]:
    """At tiny losses denormal numbers make a CPU step three to four times slower.

    The switch holds for the whole thread, so it is put back: others may need such numbers. Threads
    that it starts have it too, so it comes before the first operation that asks for some.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def train_stack(
    runs: Sequence[RunConfig],
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 300.0,
    keep_parameters: bool = False,
    compile: bool = False,
    report: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> StackResult:
    """Train runs of one shape together and return the tensors and metadata of their pack.

    See `train_stacks`.
    """
    return train_stacks(
        [runs],
        device=device,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        keep_parameters=keep_parameters,
        compile=compile,
        report=report,
        stop=stop,
    )[0]


@_denormals_flushed()
def train_stacks(
    stacks: Sequence[Sequence[RunConfig]],
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 300.0,
    keep_parameters: bool = False,
    compile: bool = False,
    report: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> list[StackResult]:
    """Train stacks as one and return the tensors and metadata of a pack for each.

    Runs of one stack have one shape; those of several may differ in their graphs' sizes alone.
    checkpoint: file to continue from if it is of this stack, and to write every
    checkpoint_seconds; compile: train by a program of torch.compile, which takes a while at
    first; report: called a few times per second; stop: asked after every step, or every eighth of
    small ones.
    Raises Interrupted, after writing the checkpoint, when stop() turns true.
    """
    begin = time.monotonic()
    runs = [run for stack in stacks for run in stack]
    trainer = Trainer(runs, torch.device(device), compile)
    if checkpoint is not None:
        checkpoints.load(checkpoint, runs, trainer.state)
    reported = saved = begin

    def between() -> None:
        nonlocal reported, saved
        now = time.monotonic()
        stopping = stop is not None and stop()
        if checkpoint is not None and (stopping or now - saved >= checkpoint_seconds):
            checkpoints.save(checkpoint, runs, trainer.state)
            saved = now
        if stopping:
            raise Interrupted
        if report is not None and now - reported >= REPORT_SECONDS:
            report(trainer.progress())
            reported = now

    place = trainer.device.type
    with float32_sums(), fast_products(place) as library, recorded_choices() as chosen:
        trainer.train(between)
    chosen["matrix_products"] = library
    parts = _collect(stacks, trainer, keep_parameters)
    wall = time.monotonic() - begin
    return [
        StackResult(
            part.tensors,
            part.metadata | provenance(device, chosen, wall * len(stack) / len(runs)),
        )
        for stack, part in zip(stacks, parts, strict=True)
    ]


def _collect(
    stacks: Sequence[Sequence[RunConfig]], trainer: Trainer, keep_parameters: bool
) -> list[StackResult]:
    found = Found.of(trainer.state)
    if len(stacks) == 1:
        return [collect(stacks[0], trainer.task, found, keep_parameters)]
    results, first = [], 0
    for runs in stacks:
        task = build_task(runs, trainer.device)
        own = found.of_stack(first, runs, task)
        results.append(collect(runs, task, own, keep_parameters))
        first += len(runs)
    return results
