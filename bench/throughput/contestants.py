"""Who is timed. A contestant can show its first losses, and train until its process ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from geomem.bench.throughput.points import Config, Shape, checked_run, timed_run

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

    def check(self) -> Losses:
        """See `Job.check`."""
        from geomem.bench.throughput.loop import Loop

        run = checked_run(self.config, 0, self.checked_steps, 1)
        losses: list[float] = []
        loop = Loop(run, self.device, compile=self.compile, ready=self.ready)
        loop.train(self.checked_steps, losses.append)
        return {(0, 1): losses}

    def train(self, report: Callable[[int], None]) -> None:
        """See `Job.train`."""
        from geomem.bench.throughput.loop import Loop

        run, done = timed_run(self.config, 0, 1), 0

        def note(loss: float) -> None:
            nonlocal done
            done += 1
            report(done)

        loop = Loop(run, self.device, compile=self.compile, ready=self.ready)
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

    def check(self) -> Losses:
        """See `Job.check`."""
        from geomem.train.stack import train_stack

        found: Losses = {}
        for block in (1, self.checked_steps // 2):  # a GPU does several steps at once, where it can
            runs = [checked_run(self.config, s, self.checked_steps, block) for s in self.seeds]
            losses = train_stack(runs, device=self.device).tensors["metrics/loss"]
            of = {run.seed: losses[k].tolist() for k, run in enumerate(runs)}
            found |= {(seed, block): of[seed] for seed in self.shown if seed in of}
        return found

    def train(self, report: Callable[[int], None]) -> None:
        """See `Job.train`; what a sweep is told while it waits is what is timed here."""
        from geomem.train.stack import train_stack

        runs = [timed_run(self.config, seed, len(self.seeds)) for seed in self.seeds]
        train_stack(runs, device=self.device, report=lambda found: report(found.member_steps))


@dataclass(frozen=True)
class Contestant:
    """One or more processes that are timed together; `side` is "geomem" or a kind of loop."""

    name: str
    side: str
    jobs: Sequence[Job] = field(repr=False)
    missing: str = ""


def geomem(config: Config, device: str, checked_steps: int, shape: Shape) -> Contestant:
    """Return geomem in a shape; the members of all its processes have seeds of their own."""
    K, count = shape.members, shape.processes
    jobs = [
        StackJob(
            *(config, device, checked_steps, shape.threads),
            seeds=range(p * K, (p + 1) * K),
            shown=(0, K - 1),
        )
        for p in range(count)
    ]
    words = [f"geomem K={K}"]
    if count > 1:
        words.append(f"{count} processes")
    if device == "cpu":
        words.append(f"{shape.threads} thread{'s' * (shape.threads > 1)}")
    return Contestant(", ".join(words), "geomem", jobs)


def loops(
    config: Config, device: str, checked_steps: int, threads: Sequence[int], compile: str
) -> list[Contestant]:
    """Return the loop in all its forms; compile: why torch.compile cannot run, or nothing."""
    found = []
    for count in threads:
        where = f", {count} thread{'s' * (count > 1)}" if device == "cpu" else ""
        common = (config, device, checked_steps, count)
        found += [
            Contestant(f"loop{where}", "loop", [LoopJob(*common)]),
            Contestant(f"loop, batches ready{where}", "ready", [LoopJob(*common, ready=True)]),
            Contestant(
                *(f"loop, compiled{where}", "compiled", [LoopJob(*common, compile=True)]),
                missing=compile,
            ),
        ]
    return found
