"""Run the benchmark: for each point, losses first, then windows in turns."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import which

import torch

from geomem.bench import record
from geomem.bench.kernels import resolve_device
from geomem.bench.machine import environment
from geomem.bench.throughput import losses, picture
from geomem.bench.throughput.contestants import Contestant, geomem, loops
from geomem.bench.throughput.points import (
    POINTS,
    SMOKE_SHAPES,
    StepPoint,
    examples_per_step,
    timed_run,
)
from geomem.bench.throughput.profile import profile_rows
from geomem.bench.throughput.record import Result, Row, step_rows
from geomem.bench.throughput.runner import Broken, Runner, take_turns

SECONDS = 120.0  # of windows, at a point
WINDOW, SMOKE_WINDOW = 1.0, 0.2
ROUNDS, SMOKE_ROUNDS = range(3, 10), range(2, 2)
SMOKE_STEPS = 6


@dataclass(frozen=True)
class Request:
    """What to run: names of POINTS, where, how, and where the files go.

    seconds: of windows at each point; compiled: also against torch.compile; profile: show where
    the time of geomem's step goes, and time nothing else.
    """

    points: Sequence[str]
    device: str = "auto"
    smoke: bool = False
    seconds: float = SECONDS
    compiled: bool = True
    profile: bool = False
    out: str | None = None


def run(request: Request, say: Callable[[str], None] | None = None) -> Result:
    """Run what is asked for and return it; `out` receives throughput.json while it runs.

    say: receives progress, a line at a time; without it they go to stderr. Raises LossesDiffer.
    """
    return _Session(request, say or _to_stderr).run()


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _Session:
    def __init__(self, request: Request, say: Callable[[str], None]) -> None:
        self._begin, self._say, self._request = time.monotonic(), say, request
        self._device = resolve_device(request.device)
        asked = asdict(request) | {"points": list(request.points)}
        asked.pop("out")
        self.result = Result(asked, environment(self._device))

    def run(self) -> Result:
        self._say(str(self.result.environment["device_name"]))
        for name in self._request.points:
            point = POINTS[name]
            rows = self._profile(point) if self._request.profile else self._steps(point)
            self.result.rows += rows
            self._save()
        self.result.finished = True
        self._save()
        if self._request.out is not None and not self._request.profile:
            self._say(picture.draw(self.result, Path(self._request.out)))
        return self.result

    def _save(self) -> None:
        self.result.wall_seconds = time.monotonic() - self._begin
        if self._request.out is not None:
            record.save(self.result, Path(self._request.out) / "throughput.json")

    def _profile(self, point: StepPoint) -> list[Row]:
        smoke = self._request.smoke
        shape = (SMOKE_SHAPES if smoke else point.shapes[self._device])[0]
        self._say(f"{point.name}: profile of {shape.members} members")
        return profile_rows(point.name, point.at(smoke), shape, self._device, smoke)

    def _steps(self, point: StepPoint) -> list[Row]:
        contestants = self._contestants(point)
        present = [c for c in contestants if not c.missing]
        absent = [c for c in contestants if c.missing]
        self._say(f"{point.name}: {point.about}; losses of {len(present)} contestants")
        with ExitStack() as stack:
            runners = [stack.enter_context(closing(Runner(c))) for c in present]
            worst, broken = self._compare(point, runners)
            runners = [r for r in runners if r.name not in broken]
            self._say(f"{point.name}: {len(runners)} contestants in turns")
            until = time.monotonic() + self._request.seconds
            small = self._request.smoke
            window, rounds = (SMOKE_WINDOW, SMOKE_ROUNDS) if small else (WINDOW, ROUNDS)
            take_turns(runners, window, rounds, lambda: time.monotonic() < until)
            run = timed_run(point.at(self._request.smoke), 0, 1)
            rows = step_rows(point.name, runners, examples_per_step(run))
        for row in rows:
            row.figures["loss_error"] = worst[row.contestant]
        rows += [
            Row(point.name, c.name, c.side, broken[c.name]) for c in present if c.name in broken
        ]
        return rows + [Row(point.name, c.name, c.side, c.missing) for c in absent]

    def _contestants(self, point: StepPoint) -> list[Contestant]:
        request, device = self._request, self._device
        steps = SMOKE_STEPS if request.smoke else point.checked_steps
        shapes = SMOKE_SHAPES if request.smoke else point.shapes[device]
        common = (point.at(request.smoke), device, steps)
        threads = [1] if request.smoke or device == "cuda" else sorted({1, torch.get_num_threads()})
        missing = "" if request.compiled else "not asked for"
        if device == "cpu" and not missing and which("c++") is None and which("g++") is None:
            missing = "torch.compile finds no C++ compiler"
        ours = [geomem(*common, shape) for shape in shapes]
        return ours + loops(*common, threads, missing)

    def _compare(
        self, point: StepPoint, runners: Sequence[Runner]
    ) -> tuple[dict[str, float], dict[str, str]]:
        """Return the largest difference of each contestant, and why others cannot be compared."""
        found, broken = {}, {}
        for runner in runners:
            try:
                found[runner.name] = runner.ready()
            except Broken as error:
                broken[runner.name] = str(error)
        steps = SMOKE_STEPS if self._request.smoke else point.checked_steps
        seeds = {seed for own in found.values() for seed in own}
        truth = losses.reference(point.at(self._request.smoke), seeds, steps)
        worst = {name: losses.compare(name, own, truth) for name, own in found.items()}
        return worst, broken
