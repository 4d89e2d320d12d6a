"""Steps per second against the loop: losses first, then windows in turns."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from shutil import which

from geomem.bench.throughput import losses
from geomem.bench.throughput.catalog import SMOKE_SHAPES
from geomem.bench.throughput.contestants import Contestant, geomem, loops
from geomem.bench.throughput.means import NEEDS_CUDA, Means
from geomem.bench.throughput.points import StepPoint, examples_per_step, timed_run
from geomem.bench.throughput.record import Row, step_rows
from geomem.bench.throughput.runner import Broken, Runner, take_turns

WINDOW, SMOKE_WINDOW = 1.0, 0.2
ROUNDS, SMOKE_ROUNDS = range(3, 10), range(2, 2)
SMOKE_STEPS = 6


def step_point(name: str, point: StepPoint, means: Means) -> list[Row]:
    """Return a row per contestant; raises LossesDiffer before anything is timed."""
    contestants = _contestants(point, means)
    if not contestants:
        return [Row(name, "all", "point", NEEDS_CUDA)]
    present = [c for c in contestants if not c.missing]
    means.say(f"{name}: {point.about}; losses of {len(present)} contestants")
    with ExitStack() as stack:
        runners, worst, broken = _start(point, present, means, stack)
        means.say(f"{name}: {len(runners)} contestants in turns")
        broken |= _turns(runners, means)
        runners = [r for r in runners if r.rates]
        run = timed_run(point.at(means.smoke), 0, 1)
        rows = step_rows(name, runners, examples_per_step(run))
    for row in rows:
        row.figures["loss_error"] = worst[row.contestant]
    reasons = {c.name: c.missing for c in contestants if c.missing} | broken
    return rows + [
        Row(name, c.name, c.side, reasons[c.name]) for c in contestants if c.name in reasons
    ]


def _turns(runners: Sequence[Runner], means: Means) -> dict[str, str]:
    until = time.monotonic() + means.seconds
    window, rounds = (SMOKE_WINDOW, SMOKE_ROUNDS) if means.smoke else (WINDOW, ROUNDS)
    return take_turns(runners, window, rounds, lambda: time.monotonic() < until)


def _checked_steps(point: StepPoint, means: Means) -> int:
    return SMOKE_STEPS if means.smoke else point.checked_steps


def _contestants(point: StepPoint, means: Means) -> list[Contestant]:
    """Return everyone, those that are missing too; nobody if the point is not for the device."""
    device, smoke = means.device, means.smoke
    shapes = SMOKE_SHAPES if smoke else point.shapes.get(device, ())
    shapes = [s for s in shapes if s.threads <= means.threads and s.compile <= means.compiled]
    if not shapes:
        return []
    common = (point.at(smoke), device, _checked_steps(point, means))
    threads = [1] if smoke or device == "cuda" else sorted({1, means.threads})
    missing = "" if means.compiled else "not asked for"
    if device == "cpu" and not missing and which("c++") is None and which("g++") is None:
        missing = "torch.compile finds no C++ compiler"
    ours = [geomem(*common, shape) for shape in shapes]
    return ours + loops(*common, threads, missing)


def _start(
    point: StepPoint, contestants: Sequence[Contestant], means: Means, stack: ExitStack
) -> tuple[list[Runner], dict[str, float], dict[str, str]]:
    """Start contestants one by one, for they check their losses with all their threads.

    Returns those that run, the largest difference of each, and why others do not.
    """
    runners, found, broken = [], {}, {}
    for contestant in contestants:
        runner = stack.enter_context(closing(Runner(contestant)))
        try:
            found[runner.name] = runner.ready()
            runners.append(runner)
        except Broken as error:
            broken[runner.name] = str(error)
    seeds = {seed for own in found.values() for seed, _ in own}
    steps = _checked_steps(point, means)
    truth = losses.reference(point.at(means.smoke), seeds, steps, means.device)
    worst = {r.name: losses.compare(r.name, found[r.name], truth, r.precision) for r in runners}
    return runners, worst, broken
