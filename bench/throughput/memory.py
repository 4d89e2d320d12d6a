"""The peak of memory."""

import time
from contextlib import suppress
from dataclasses import dataclass

from geomem.bench.machine import peak_bytes
from geomem.bench.throughput.means import NEEDS_CUDA, Means, alone
from geomem.bench.throughput.points import Config, MemoryPoint, timed_run
from geomem.bench.throughput.record import Row
from geomem.bench.variants import describe

STEPS, WARM = 24, 8


@dataclass(frozen=True)
class Steps:
    """What some steps took; total_bytes: of the device, 0 where it is not known."""

    seconds_per_step: float
    peak_bytes: int
    total_bytes: int


def memory_point(name: str, point: MemoryPoint, means: Means) -> list[Row]:
    """Return one row."""
    if means.device != "cuda" and not means.smoke:
        return [Row(name, "all", "point", NEEDS_CUDA)]
    means.say(f"{name}: {point.about}")
    config = {**point.config, **point.smoke} if means.smoke else point.config
    try:
        found = alone(some_steps, config, means.device)
    except Exception as error:  # no memory is a result
        return [Row(name, "geomem K=1", "geomem", describe(error))]
    figures = {"seconds": found.seconds_per_step, "peak_bytes": found.peak_bytes}
    if found.total_bytes:
        figures["total_bytes"] = found.total_bytes
    return [Row(name, "geomem K=1", "geomem", figures=figures)]


def some_steps(config: Config, device: str) -> Steps:
    """Train for STEPS at least, and time those after the first WARM."""
    import torch

    from geomem.train.stack import Interrupted, Progress, train_stack

    seen: list[tuple[int, float]] = []

    def report(progress: Progress) -> None:
        if progress.step >= (STEPS if seen else WARM):
            seen.append((progress.step, time.perf_counter()))

    with suppress(Interrupted):
        run = timed_run(config, 0, 1)
        train_stack([run], device=device, report=report, stop=lambda: len(seen) == 2)
    (first, start), (last, end) = seen
    total = torch.cuda.get_device_properties(0).total_memory if device == "cuda" else 0
    return Steps((end - start) / (last - first), peak_bytes(device), total)
