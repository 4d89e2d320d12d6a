"""What a point of `geomem-bench throughput` consists of, and its runs. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geomem.train.config import RunConfig
from geomem.train.config.task import InWeights

Config = Mapping[str, Any]
CHECK_WARMUP = 5


@dataclass(frozen=True)
class Shape:
    """Processes of `members` members each, each process with `threads` CPU threads.

    precision: `train.precision`; compile: as `execution.compile`.
    """

    members: int
    processes: int = 1
    threads: int = 1
    precision: str = "fp32"
    compile: bool = False


@dataclass(frozen=True)
class StepPoint:
    """Steps per second of one kind of run, against the loop.

    config: sections of the run but for `train.steps` and seed; smoke: sections that replace them
    in the small size; shapes: for each device how geomem trains, the first one being the point's;
    checked_steps: whose losses are compared before anything is timed.
    """

    about: str
    config: Config
    smoke: Config
    shapes: Mapping[str, Sequence[Shape]]
    checked_steps: int = 24  # on a GPU two calls of eight without a graph, and one with

    def at(self, smoke: bool) -> Config:
        """Return the sections of the run."""
        return {**self.config, **self.smoke} if smoke else self.config


@dataclass(frozen=True)
class Goal:
    """A run that trains until its held-out exact match reaches a value, from a cold start.

    seconds: in which it is to get there; threads: of PyTorch on a CPU.
    """

    name: str
    config: Config
    steps: int
    eval_every: int
    reaches: float
    seconds: float
    threads: int = 1


@dataclass(frozen=True)
class GoalPoint:
    """Time to a stated accuracy; goals: for each device."""

    about: str
    goals: Mapping[str, Sequence[Goal]]
    smoke: Sequence[Goal]


@dataclass(frozen=True)
class SweepPoint:
    """A whole sweep with its packs; grid: a grid file's content."""

    about: str
    grid: Config
    smoke: Config
    seconds: float


@dataclass(frozen=True)
class MemoryPoint:
    """The peak of the memory that some steps of one run take."""

    about: str
    config: Config
    smoke: Config


@dataclass(frozen=True)
class KernelPoint:
    """What `geomem-bench kernels` measures already, under the name of its op."""

    about: str
    op: str


Point = StepPoint | GoalPoint | SweepPoint | MemoryPoint | KernelPoint


def make_run(config: Config, seed: int, steps: int, eval_every: int, **optim: Any) -> RunConfig:
    """Return a run of these sections; `optim` replaces fields of the optimiser."""
    train = {**config["train"], "steps": steps, "eval_every": eval_every}
    whole = {**config, "train": train, "optim": {**config["optim"], **optim}, "seed": seed}
    return RunConfig.model_validate(whole)


def timed_run(config: Config, seed: int, members: int) -> RunConfig:
    """Return a run that lasts longer than it is watched, without an evaluation meanwhile."""
    steps = max(4000, 20_000 // members)
    return make_run(config, seed, steps, steps)


def checked_run(config: Config, seed: int, steps: int, block: int) -> RunConfig:
    """Return a short run with a whole schedule; its mean loss is noted for each block of steps."""
    warmup = min(CHECK_WARMUP, config["optim"].get("warmup_steps", 0))
    return make_run(config, seed, steps, block, warmup_steps=warmup)


def examples_per_step(run: RunConfig) -> int:
    """Examples of a run that one step trains on."""
    assert isinstance(run.task, InWeights)
    edges, paths = run.train.edge_batch, run.train.path_batch
    if edges == "all":
        directions = 2 if run.task.edges == "both" else 1
        edges = directions * run.graph.edge_count  # type: ignore[union-attr]
    if run.task.recipe == "edges_only":
        return edges
    assert paths != "all"
    return edges + paths
