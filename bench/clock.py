"""Time calls on a device: warmed, interleaved, in windows of fixed length, as percentiles."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch

from geomem.bench.variants import Call

MOST_RUNS = 1000  # in a window


@dataclass(frozen=True)
class Pace:
    """How long to warm a timer, how long its windows are, and how many rounds there are of them."""

    warm: float = 0.2
    window: float = 0.1
    least_rounds: int = 3
    most_rounds: int = 20


QUICK = Pace(warm=0.005, window=0.002, least_rounds=2, most_rounds=2)


class Timer(Protocol):
    """Something that can be run n times; returns the seconds of one call, for each of them."""

    how: str

    def run(self, n: int) -> list[float]:
        """Run n times and wait for the end."""
        ...


class HostTimer:
    """Calls on the CPU, over the argument sets in turn."""

    how = "host clock"

    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls, self._next = calls, 0

    def run(self, n: int) -> list[float]:
        """See `Timer.run`."""
        found = []
        for _ in range(n):
            call = self._calls[self._next % len(self._calls)]
            self._next += 1
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
        return found


class EventTimer:
    """Rounds over all argument sets between two CUDA events, queued without waiting."""

    def __init__(self, start_round: Call, calls: int, stream: torch.cuda.Stream, how: str) -> None:
        self._round, self._calls, self._stream, self.how = start_round, calls, stream, how

    def run(self, n: int) -> list[float]:
        """See `Timer.run`; a sample is the mean over the sets of one round."""
        pairs = []
        with torch.cuda.stream(self._stream):
            for _ in range(n):
                start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                start.record()
                self._round()
                end.record()
                pairs.append((start, end))
        self._stream.synchronize()
        return [start.elapsed_time(end) * 1e-3 / self._calls for start, end in pairs]


@dataclass
class Measurement:
    """Samples of one timer, in seconds per call."""

    timer: Timer
    samples: list[float] = field(default_factory=list)
    per_window: int = 1
    failure: Exception | None = None

    def warm(self, pace: Pace) -> None:
        """Run for a while, and learn how many runs fill a window."""
        once = self._mean(1)
        if once < pace.warm:
            once = self._mean(_fitting(pace.warm, once))
        self.per_window = _fitting(pace.window, once)

    def _mean(self, n: int) -> float:
        start = time.perf_counter()
        self.timer.run(n)
        return (time.perf_counter() - start) / n

    def window(self) -> None:
        """Take the samples of one window."""
        self.samples += self.timer.run(self.per_window)

    def percentiles(self) -> dict[str, float]:
        """Return p20, p50 and p80 in seconds, and the number of samples."""
        found = {f"p{p}": percentile(self.samples, p / 100) for p in (20, 50, 80)}
        return found | {"samples": len(self.samples)}


def _fitting(seconds: float, once: float) -> int:
    return min(MOST_RUNS, max(1, int(seconds / once)))


def percentile(samples: Sequence[float], fraction: float) -> float:
    """Return a quantile by linear interpolation."""
    ordered = sorted(samples)
    place = fraction * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def interleave(
    measurements: Sequence[Measurement], pace: Pace, in_time: Callable[[], bool]
) -> None:
    """Give every timer a window per round, in an order that turns about from round to round.

    A timer that raises is left out from then on, and keeps what it raised.
    """
    for measurement in measurements:
        _guard(measurement, partial(measurement.warm, pace))
    order = list(measurements)
    for done in range(pace.most_rounds):
        if done >= pace.least_rounds and not in_time():
            break
        for measurement in order:
            _guard(measurement, measurement.window)
        order.reverse()


def _guard(measurement: Measurement, action: Callable[[], None]) -> None:
    if measurement.failure is None:
        try:
            action()
        except Exception as error:
            measurement.failure = error.with_traceback(None)  # which would hold on to tensors
