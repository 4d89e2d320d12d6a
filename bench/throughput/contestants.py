"""Who is timed. A contestant can show its first losses, and train until its process ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Protocol

from geomem.bench.throughput.points import Config, Shape, checked_run, timed_run
from geomem.train.config import RunConfig

Losses = dict[tuple[int, int], list[float]]
"""By the seed of the run and b: mean loss of each block of b steps."""


class Job(Protocol):
    """What one process does; it can be pickled."""

    @property
    def threads(self) -> int:
        """Threads of PyTorch."""
        ...

    @property
    def device(self) -> str:
        """Where it trains."""
        ...

    def check(self) -> Losses:
        """Train for the checked steps, from the start."""
        ...

    def train(self, report: Callable[[int], None]) -> None:
        """Train for long; `report` gets the member-steps done, whenever they are really done."""
        ...


@dataclass(frozen=True)
class LoopJob:
    """The plain loop; see `Loop` for its switches."""

    config: Config
    device: str
    checked_steps: int
    threads: int
    compile: bool = False
    ready: bool = False
    bf16: bool = False

    def check(self) -> Losses:
        """See `Job.check`."""
        losses: list[float] = []
        self._loop(checked_run(self.config, 0, self.checked_steps, 1), losses.append)
        return {(0, 1): losses}

    def train(self, report: Callable[[int], None]) -> None:
        """See `Job.train`."""
        done = 0

        def note(loss: float) -> None:
            nonlocal done
            done += 1
            report(done)

        self._loop(timed_run(self.config, 0, 1), note)

    def _loop(self, run: RunConfig, note: Callable[[float], None]) -> None:
        from geomem.bench.throughput.loop import Loop

        loop = Loop(run, self.device, compile=self.compile, ready=self.ready, bf16=self.bf16)
        loop.train(run.train.steps, note)


@dataclass(frozen=True)
class StackJob:
    """One stack of geomem's public `train_stack`; losses are shown of those seeds that it has."""

    config: Config
    device: str
    checked_steps: int
    threads: int
    seeds: Sequence[int]
    shown: Sequence[int]
    compile: bool = False

    def check(self) -> Losses:
        """See `Job.check`."""
        from geomem.train.stack import train_stack

        found: Losses = {}
        for block in (1, self.checked_steps):  # a GPU does several steps at once, where it can
            runs = [checked_run(self.config, s, self.checked_steps, block) for s in self.seeds]
            result = train_stack(runs, device=self.device, compile=self.compile)
            losses = result.tensors["metrics/loss"]
            of = {run.seed: losses[k].tolist() for k, run in enumerate(runs)}
            found |= {(seed, block): of[seed] for seed in self.shown if seed in of}
        return found

    def train(self, report: Callable[[int], None]) -> None:
        """See `Job.train`; what a sweep is told while it waits is what is timed here."""
        from geomem.train.stack import train_stack

        runs = [timed_run(self.config, seed, len(self.seeds)) for seed in self.seeds]
        train_stack(
            runs,
            device=self.device,
            compile=self.compile,
            report=lambda found: report(found.member_steps),
        )


@dataclass(frozen=True)
class Contestant:
    """One or more processes that are timed together; `side` is "geomem" or a kind of loop."""

    name: str
    side: str
    jobs: Sequence[Job] = field(repr=False)
    missing: str = ""
    precision: str = "fp32"


def geomem(config: Config, device: str, checked_steps: int, shape: Shape) -> Contestant:
    """Return geomem in a shape; the members of all its processes have seeds of their own."""
    K, count = shape.members, shape.processes
    config = {**config, "train": {**config["train"], "precision": shape.precision}}
    jobs = [
        StackJob(
            *(config, device, checked_steps, shape.threads),
            seeds=range(p * K, (p + 1) * K),
            shown=(0, K - 1),
            compile=shape.compile,
        )
        for p in range(count)
    ]
    words = [f"geomem K={K}"]
    words += [f"{count} processes"] * (count > 1)
    words += [_threads(shape.threads)] * (device == "cpu")
    words += [shape.precision] * (shape.precision != "fp32")
    words += ["compiled"] * shape.compile
    return Contestant(", ".join(words), "geomem", jobs, precision=shape.precision)


def loops(
    config: Config, device: str, checked_steps: int, threads: Sequence[int], compile: str
) -> list[Contestant]:
    """Return the loop in all its forms; compile: why torch.compile cannot run, or nothing.

    On a CPU with several numbers of threads, on a GPU with and without autocast to bfloat16.
    """
    found = []
    precisions = ("fp32", "bf16") if device == "cuda" else ("fp32",)
    for count, precision in product(threads, precisions):
        where = f", {_threads(count)}" if device == "cpu" else ""
        where += f", {precision}" * (precision != "fp32")
        common = LoopJob(config, device, checked_steps, count, bf16=precision == "bf16")
        forms = [
            ("loop", "loop", common, ""),
            ("loop, batches ready", "ready", replace(common, ready=True), ""),
            ("loop, compiled", "compiled", replace(common, compile=True), compile),
        ]
        found += [Contestant(n + where, side, [j], why, precision) for n, side, j, why in forms]
    return found


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"
