"""Run the points that are asked for, one after the other."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from geomem.bench import record
from geomem.bench.kernels import resolve_device
from geomem.bench.machine import environment
from geomem.bench.throughput import picture
from geomem.bench.throughput.catalog import POINTS, SMOKE_SHAPES
from geomem.bench.throughput.goals import goal_point
from geomem.bench.throughput.linked import kernel_point
from geomem.bench.throughput.losses import DIFFERENT, LossesDiffer
from geomem.bench.throughput.means import NEEDS_CUDA, Means
from geomem.bench.throughput.memory import memory_point
from geomem.bench.throughput.points import (
    GoalPoint,
    KernelPoint,
    MemoryPoint,
    StepPoint,
    SweepPoint,
)
from geomem.bench.throughput.profile import profile_rows
from geomem.bench.throughput.record import Result, Row
from geomem.bench.throughput.steps import step_point
from geomem.bench.throughput.sweeps import sweep_point

SECONDS = 120.0  # of windows, at a point


@dataclass(frozen=True)
class Request:
    """What to run: names of POINTS, where, how, and where the files go.

    seconds: of windows at each point; compiled: also against torch.compile; threads: of one process
    on a CPU at most, None for as many as PyTorch takes by itself; profile: show where the time of
    geomem's step goes, and time nothing else.
    """

    points: Sequence[str]
    device: str = "auto"
    smoke: bool = False
    seconds: float = SECONDS
    compiled: bool = True
    threads: int | None = None
    profile: bool = False
    out: Path | None = None


def run(request: Request, say: Callable[[str], None] | None = None) -> Result:
    """Run what is asked for and return it; `out` receives throughput.json while it runs.

    say: receives progress, a line at a time; without it they go to stderr.
    A point where losses differ is one row whose status begins with DIFFERENT.
    """
    return _Session(request, say or _to_stderr).run()


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _Session:
    def __init__(self, request: Request, say: Callable[[str], None]) -> None:
        self._begin, self._request = time.monotonic(), request
        device = resolve_device(request.device)
        threads = request.threads or torch.get_num_threads()
        self._means = Means(device, request.smoke, request.seconds, request.compiled, threads, say)
        asked = asdict(request) | {"points": list(request.points)}
        asked.pop("out")
        self.result = Result(asked, environment(device))

    def run(self) -> Result:
        self._means.say(str(self.result.environment["device_name"]))
        for name in self._request.points:
            rows = _profile if self._request.profile else _measure
            try:
                self.result.rows += rows(name, self._means)
            except LossesDiffer as error:  # of this point nothing is timed; of others, all
                self.result.rows.append(Row(name, "all", "point", f"{DIFFERENT}: {error}"))
            self._save()
        self.result.finished = True
        self._save()
        if self._request.out is not None and not self._request.profile:
            self._means.say(picture.draw(self.result, self._request.out))
        return self.result

    def _save(self) -> None:
        self.result.wall_seconds = time.monotonic() - self._begin
        if self._request.out is not None:
            record.save(self.result, self._request.out / "throughput.json")


def _measure(name: str, means: Means) -> list[Row]:
    match POINTS[name]:
        case StepPoint() as point:
            return step_point(name, point, means)
        case GoalPoint() as point:
            return goal_point(name, point, means)
        case SweepPoint() as point:
            return sweep_point(name, point, means)
        case MemoryPoint() as point:
            return memory_point(name, point, means)
        case KernelPoint() as point:
            return kernel_point(name, point, means)


def _profile(name: str, means: Means) -> list[Row]:
    point = POINTS[name]
    if not isinstance(point, StepPoint):
        return [Row(name, "all", "point", "skipped: no step of its own to profile")]
    shapes = SMOKE_SHAPES if means.smoke else point.shapes.get(means.device, ())
    if not shapes:
        return [Row(name, "all", "point", NEEDS_CUDA)]
    means.say(f"{name}: profile of {shapes[0].members} members")
    return profile_rows(name, point.at(means.smoke), shapes[0], means.device, means.smoke)
