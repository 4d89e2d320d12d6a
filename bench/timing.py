"""Time the variants of a point against each other, pass by pass."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch

from geomem.bench.capture import Stage
from geomem.bench.checks import NO_TIME
from geomem.bench.clock import Measurement, Pace, Timer, interleave
from geomem.bench.variants import Op, Point, Variant, describe, free, is_out_of_memory, total_bytes

ROTATED_BYTES = {"cuda": 4 * 60 << 20, "cpu": 1 << 26}  # several times the last cache
MOST_SETS = {"cuda": 64, "cpu": 4}
LOOPED_SETS_UP_TO = 8  # members; above, a peer that loops gets one set: its graphs are too long
LATER = "again, alone"


@dataclass
class Timing:
    """What came of timing: status is "ok" or why there is nothing; seconds are percentiles."""

    status: str
    seconds: dict[str, float] | None = None
    timed_by: str = ""
    sets: int = 0
    alone: bool = False


def rotating_sets(op: Op, point: Point, device: str) -> list[Any]:
    """Make argument sets of ROTATED_BYTES together, or as many as a quarter of the memory holds.

    Arguments that hold no tensors are made once.
    """
    sets = [op.inputs(point, device, op.timed_regime, 1)]
    each = total_bytes(sets[0]) or ROTATED_BYTES[device]
    count = min(MOST_SETS[device], ceil(ROTATED_BYTES[device] / each))
    if device == "cuda":
        count = min(count, 1 + torch.cuda.mem_get_info()[0] // 4 // each)
    return sets + [op.inputs(point, device, op.timed_regime, 1 + i) for i in range(1, count)]


def time_point(
    op: Op, point: Point, variants: Sequence[Variant], device: str, pace: Pace, until: float
) -> dict[tuple[str, str], Timing]:
    """Return what the timing of (variant, pass) came to; until: in terms of time.monotonic()."""
    found: dict[tuple[str, str], Timing] = {}
    try:
        sets = rotating_sets(op, point, device)
        for left, at in zip(range(len(op.passes), 0, -1), op.passes, strict=True):
            now = time.monotonic()
            stop = now + max(0.0, until - now) / left
            timings = _Pass(op, point, at, sets, device, pace, stop).run(variants)
            found |= {(name, at): timing for name, timing in timings.items()}
    except Exception as error:  # no memory for the arguments, or a device that a peer broke
        status = describe(error)
        places = [(v.name, at) for v in variants for at in op.passes]
        found = {place: Timing(status) for place in places} | found
    free(device)
    return found


class _Pass:
    """One pass of a point: every variant prepared, then all of them in turns."""

    def __init__(
        self,
        op: Op,
        point: Point,
        at: str,
        sets: list[Any],
        device: str,
        pace: Pace,
        stop: float,
    ) -> None:
        self._op, self._point, self._at, self._sets = op, point, at, sets
        self._device, self._pace, self._stop = device, pace, stop

    def _in_time(self) -> bool:
        return time.monotonic() < self._stop

    def run(self, variants: Sequence[Variant]) -> dict[str, Timing]:
        found = self._together(variants, alone=False)
        for variant in variants:
            if found[variant.name].status == LATER:
                found |= self._together([variant], alone=True)
        return found

    def _together(self, variants: Sequence[Variant], alone: bool) -> dict[str, Timing]:
        """Measure variants side by side; who finds no memory beside the others is put off."""
        stage = Stage(self._device)
        found: dict[str, Timing] = {}
        running: dict[str, Measurement] = {}
        for variant in variants:
            if not self._in_time() and not alone:
                found[variant.name] = Timing(NO_TIME)
                continue
            try:
                running[variant.name] = Measurement(self._timer(stage, variant, alone))
            except Exception as error:
                found[variant.name] = Timing(self._reason(error, alone))
            if variant.name in found:
                free(self._device)
        interleave(list(running.values()), self._pace, self._in_time)
        for variant in variants:
            if variant.name in running:
                found[variant.name] = self._timing(variant, running.pop(variant.name), alone)
        free(self._device)
        return found

    def _reason(self, error: Exception, alone: bool) -> str:
        return LATER if is_out_of_memory(error) and not alone else describe(error)

    def _sets_of(self, variant: Variant) -> list[Any]:
        few = variant.loops and self._point.sizes.get("K", 1) > LOOPED_SETS_UP_TO
        return self._sets[:1] if few else self._sets

    def _timer(self, stage: Stage, variant: Variant, alone: bool) -> Timer:
        sets = self._sets_of(variant)
        makes: list[Callable[[], Any]]
        makes = [self._op.calls(variant, inputs)[self._at] for inputs in sets]
        return stage.timer(stage.prepare(makes), variant.capturable, last_chance=alone)

    def _timing(self, variant: Variant, measurement: Measurement, alone: bool) -> Timing:
        if measurement.failure is not None:
            return Timing(self._reason(measurement.failure, alone))
        seconds, how = measurement.percentiles(), measurement.timer.how
        return Timing("ok", seconds, how, len(self._sets_of(variant)), alone)
