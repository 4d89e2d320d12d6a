"""Run the benchmark of the kernels: correctness of everything first, then the figures."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

import torch

from geomem.bench import ceilings, plot
from geomem.bench.checks import NO_TIME, check
from geomem.bench.clock import QUICK, Pace
from geomem.bench.machine import environment
from geomem.bench.record import Result, compare_with_ours, make_row, save
from geomem.bench.registry import OPS
from geomem.bench.timing import Timing, time_point
from geomem.bench.variants import Check, Op, Point, Variant

SECONDS = {"cuda": 420.0, "cpu": 240.0}
CHECKING = {False: 0.35, True: 0.55}  # share of the time for checks, and then for compilers
TIMED = ("ok", "wrong")


@dataclass(frozen=True)
class Request:
    """What to run: names of OPS (none: all), where, for how long, and where the files go.

    threads: of PyTorch on the CPU; None leaves them as they are.
    """

    ops: Sequence[str] = ()
    device: str = "auto"
    smoke: bool = False
    seconds: float | None = None
    threads: int | None = None
    out: Path | None = None


@dataclass
class _Item:
    """A point of an op, its variants, and what is known of them so far."""

    op: Op
    point: Point
    variants: list[Variant]
    checks: dict[str, Check]
    timings: dict[tuple[str, str], Timing]


def resolve_device(name: str) -> str:
    """Return "cuda" or "cpu"; "auto" is CUDA where there is a device."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device is available; choose --device cpu")
    return name


def run(request: Request, say: Callable[[str], None] | None = None) -> Result:
    """Run what is asked for and return it; `out` receives kernels.json while it runs.

    say: receives progress, a line at a time; without it they go to stderr.
    """
    torch.set_flush_denormal(True)  # as in training, and for every variant alike
    try:
        return _Session(request, say or _to_stderr).run()
    finally:
        torch.set_flush_denormal(False)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _Session:
    def __init__(self, request: Request, say: Callable[[str], None]) -> None:
        self._begin, self._say, self._request = time.monotonic(), say, request
        self._device = resolve_device(request.device)
        if request.threads is not None:
            torch.set_num_threads(request.threads)
        self._seconds = request.seconds or SECONDS[self._device]
        names = list(request.ops) or list(OPS)
        ops: list[Op] = [OPS[name]() for name in names]
        asked = asdict(request) | {"ops": names, "seconds": self._seconds}
        asked.pop("out")
        limits = {op.name: op.limit(self._device) for op in ops}
        self.result = Result(asked, environment(self._device), limits=limits)
        self._items = [self._item(op, p) for op in ops for p in self._points(op)]
        self._elsewhere = [op.name for op in ops if not self._points(op)]
        # Small sizes first: what they leave of their shares of the time goes to the large.
        self._in_order = sorted(self._items, key=lambda item: prod(item.point.sizes.values()))

    def _points(self, op: Op) -> list[Point]:
        return op.points(self._device, self._request.smoke)

    def _item(self, op: Op, point: Point) -> _Item:
        variants = op.variants(point, self._device, self._request.smoke)
        checks = {v.name: Check(v.missing or NO_TIME) for v in variants}
        return _Item(op, point, variants, checks, {})

    def run(self) -> Result:
        self._say(f"{self.result.environment['device_name']}, {self._seconds:.0f} s at most")
        for name in self._elsewhere:
            self._say(f"{name} is not measured on {self._device}")
        self.result.ceilings = ceilings.measure(self._device, self._request.smoke)
        self._check_all()
        self._time_all()
        self.result.finished = True
        self._save()
        if self._request.out is not None:
            self._say(plot.draw(self.result, self._request.out))
        return self.result

    def _shares(self, items: Sequence[_Item], end: float) -> Iterator[tuple[_Item, float]]:
        """Divide the time that is left until `end` over the items that are left."""
        for i, item in enumerate(items):
            now = time.monotonic()
            yield item, now + max(0.0, end - now) / (len(items) - i)

    def _check_all(self) -> None:
        """Quick starters at every point first: a compiler's minutes are nobody else's."""
        for compiles, share in CHECKING.items():
            end = self._begin + share * self._seconds
            items = [i for i in self._in_order if any(v.compiles == compiles for v in i.variants)]
            for item, until in self._shares(items, end):
                variants = [v for v in item.variants if v.compiles == compiles]
                self._say(f"check {item.op.name} {item.point}: {_names(variants)}")
                in_time = lambda until=until: time.monotonic() < until  # noqa: E731
                item.checks |= check(item.op, item.point, variants, self._device, in_time)
                self._save()

    def _time_all(self) -> None:
        pace = QUICK if self._request.smoke else Pace()
        for item, until in self._shares(self._in_order, self._begin + self._seconds):
            ran = [v for v in item.variants if item.checks[v.name].status.startswith(TIMED)]
            if ran:
                self._say(f"time {item.op.name} {item.point}: {_names(ran)}")
                item.timings = time_point(item.op, item.point, ran, self._device, pace, until)
                self._save()

    def _save(self) -> None:
        """Bring the rows up to date, and the file if there is to be one."""
        result, device = self.result, self._device
        result.rows = [
            make_row(
                *(item.op, item.point, variant, at, item.checks[variant.name]),
                *(item.timings.get((variant.name, at)), device, result.ceilings),
            )
            for item in self._items
            for variant in item.variants
            for at in item.op.passes
        ]
        compare_with_ours(result.rows)
        result.wall_seconds = time.monotonic() - self._begin
        if self._request.out is not None:
            save(result, self._request.out / "kernels.json")


def _names(variants: Sequence[Variant]) -> str:
    return ", ".join(v.name for v in variants if not v.missing) or "nothing that can run here"
