"""Where the time of geomem's step goes, op by op."""

import time
from typing import NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile

from geomem.bench.throughput.points import Config, Shape, timed_run
from geomem.bench.throughput.record import Row
from geomem.train.stack import Interrupted, Progress, train_stack

SHOWN = 12
STEPS = 20
SMOKE_STEPS = 2
OUTSIDE = "between the ops (Python)"


class _Moment(NamedTuple):
    step: int
    seconds: float
    cpu_seconds: float


class _Watch:
    """Follows the reports of `train_stack`: a phase to warm up, one to time, one to profile.

    A phase lasts from a report to the next one that is some steps later.
    """

    def __init__(self, device: str, steps: int) -> None:
        activities = [ProfilerActivity.CPU]
        if device == "cuda":
            activities.append(ProfilerActivity.CUDA)
        self.profiler = profile(activities=activities)
        self._steps, self._moments = steps, [_Moment(0, 0.0, 0.0)]

    def report(self, progress: Progress) -> None:
        """See `train_stack`; the device has done what is reported."""
        if self.over or progress.step < self._moments[-1].step + self._steps:
            return
        now = _Moment(progress.step, time.perf_counter(), time.process_time())
        self._moments.append(now)
        if len(self._moments) == 3:
            self.profiler.start()
            self._profiled_from = time.perf_counter()
        elif self.over:
            self.profiler.stop()

    @property
    def over(self) -> bool:
        """Whether there is nothing more to see."""
        return len(self._moments) == 4

    @property
    def profiled(self) -> tuple[int, float]:
        """Steps under the profiler, and seconds of them together."""
        end = self._moments[3]
        return end.step - self._moments[2].step, end.seconds - self._profiled_from

    @property
    def plain(self) -> dict[str, float]:
        """Seconds of a step without the profiler, and of all CPUs."""
        start, end = self._moments[1:3]
        steps = end.step - start.step
        return {
            "seconds": (end.seconds - start.seconds) / steps,
            "cpu_seconds": (end.cpu_seconds - start.cpu_seconds) / steps,
        }


def profile_rows(point: str, config: Config, shape: Shape, device: str, smoke: bool) -> list[Row]:
    """Profile a stack; a row per op, the costliest first, then the rest.

    seconds: of the op itself in one step; share: of the step's wall time under the profiler
    (on CUDA: of the kernels' time); calls: in one step.
    """
    watch = _watched(config, shape, device, SMOKE_STEPS if smoke else STEPS)
    steps, wall = watch.profiled
    on_gpu = device == "cuda"
    events = watch.profiler.key_averages()
    if on_gpu:  # an op of the host has the time of its kernels, which are events of their own
        events = [e for e in events if e.device_type.name != "CPU"]
    seconds = [
        1e-6 * (e.self_device_time_total if on_gpu else e.self_cpu_time_total) for e in events
    ]
    found = [(e.key, own, e.count) for e, own in zip(events, seconds, strict=True)]
    found.sort(key=lambda line: line[1], reverse=True)
    rest = found[SHOWN:]
    lines = [*found[:SHOWN], ("all other ops", sum(r[1] for r in rest), sum(r[2] for r in rest))]
    total = sum(seconds) if on_gpu else wall
    if not on_gpu:
        lines.append((OUTSIDE, total - sum(seconds), 0))
    rows = [
        Row(point, name, "profile", figures=_figures(seconds, calls, total, steps))
        for name, seconds, calls in lines
    ]
    step = watch.plain | {"seconds_profiled": wall / steps}
    return [Row(point, f"one step, K={shape.members}", "step", figures=step), *rows]


def _figures(seconds: float, calls: int, total: float, steps: int) -> dict[str, float]:
    return {"seconds": seconds / steps, "share": seconds / total, "calls": calls / steps}


def _watched(config: Config, shape: Shape, device: str, steps: int) -> _Watch:
    watch, threads = _Watch(device, steps), torch.get_num_threads()
    torch.set_num_threads(shape.threads)
    runs = [timed_run(config, seed, shape.members) for seed in range(shape.members)]
    try:
        train_stack(runs, device=device, report=watch.report, stop=lambda: watch.over)
    except Interrupted:
        return watch
    finally:
        torch.set_num_threads(threads)
    raise AssertionError("the runs are longer than the profile")
