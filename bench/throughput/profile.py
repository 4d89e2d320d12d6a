"""Where the time of geomem's step goes, op by op."""

import time

import torch
from torch.profiler import ProfilerActivity, profile

from geomem.bench.throughput.points import Config, Shape, timed_run
from geomem.bench.throughput.record import Row
from geomem.train.stack import Interrupted, train_stack

SHOWN = 12
WARM, STEPS = 20, 40
SMOKE_STEPS = 3
OUTSIDE = "between the ops (Python)"


class _Watch:
    """Asked after every step of `train_stack` whether to stop: warm up, time, profile, stop."""

    def __init__(self, device: str, steps: int) -> None:
        self._device, self._steps, self._done = device, steps, 0
        activities = [ProfilerActivity.CPU]
        if device == "cuda":
            activities.append(ProfilerActivity.CUDA)
        self.profiler = profile(activities=activities)
        self.plain = self.cpu = self.profiled = 0.0

    def stop(self) -> bool:
        """See `train_stack`."""
        self._done += 1
        if self._done == WARM:
            self._start, self._cpu = self._now(), time.process_time()
        elif self._done == WARM + self._steps:
            self.plain, self.cpu = self._now() - self._start, time.process_time() - self._cpu
            self.profiler.start()
            self._start = self._now()
        elif self._done == WARM + 2 * self._steps:
            self.profiled = self._now() - self._start
            self.profiler.stop()
            return True
        return False

    def _now(self) -> float:
        if self._device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def profile_rows(point: str, config: Config, shape: Shape, device: str, smoke: bool) -> list[Row]:
    """Profile a stack; a row per op, the costliest first, then the rest.

    seconds: of the op itself in one step; share: of the step's wall time under the profiler
    (on CUDA: of the kernels' time); calls: in one step.
    """
    steps = SMOKE_STEPS if smoke else STEPS
    watch = _watched(config, shape, device, steps)
    events = watch.profiler.key_averages()
    on_gpu = device == "cuda"
    seconds = [
        1e-6 * (e.self_device_time_total if on_gpu else e.self_cpu_time_total) for e in events
    ]
    found = [(e.key, own, e.count) for e, own in zip(events, seconds, strict=True)]
    found.sort(key=lambda line: line[1], reverse=True)
    rest = found[SHOWN:]
    lines = [*found[:SHOWN], ("all other ops", sum(r[1] for r in rest), sum(r[2] for r in rest))]
    total = sum(seconds) if on_gpu else watch.profiled
    if not on_gpu:
        lines.append((OUTSIDE, total - sum(seconds), 0))
    rows = [
        Row(point, name, "profile", figures=_figures(seconds, calls, total, steps))
        for name, seconds, calls in lines
    ]
    walls = {
        "seconds": watch.plain,
        "cpu_seconds": watch.cpu,
        "seconds_profiled": watch.profiled,
    }
    step = {name: seconds / steps for name, seconds in walls.items()}
    return [Row(point, f"one step, K={shape.members}", "step", figures=step), *rows]


def _figures(seconds: float, calls: int, total: float, steps: int) -> dict[str, float]:
    return {"seconds": seconds / steps, "share": seconds / total, "calls": calls / steps}


def _watched(config: Config, shape: Shape, device: str, steps: int) -> _Watch:
    watch, threads = _Watch(device, steps), torch.get_num_threads()
    torch.set_num_threads(shape.threads)
    runs = [timed_run(config, seed, shape.members) for seed in range(shape.members)]
    try:
        train_stack(runs, device=device, stop=watch.stop)
    except Interrupted:
        return watch
    finally:
        torch.set_num_threads(threads)
    raise AssertionError("the runs are longer than the profile")
