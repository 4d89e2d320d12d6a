"""What `geomem-bench throughput` measures: named points, and how geomem takes part. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geomem.train.config import RunConfig
from geomem.train.config.task import InWeights

Config = Mapping[str, Any]
CHECK_WARMUP = 5


@dataclass(frozen=True)
class Shape:
    """Processes of `members` members each, each process with `threads` CPU threads."""

    members: int
    processes: int = 1
    threads: int = 1


@dataclass(frozen=True)
class StepPoint:
    """Steps per second of one kind of run.

    config: sections of the run but for `train.steps` and seed; smoke: sections that replace them
    in the small size; shapes: for each device how geomem trains, the first one being the point's;
    checked_steps: whose losses are compared before anything is timed.
    """

    name: str
    about: str
    config: Config
    smoke: Config
    shapes: Mapping[str, Sequence[Shape]]
    checked_steps: int = 20

    def at(self, smoke: bool) -> Config:
        """Return the sections of the run."""
        return {**self.config, **self.smoke} if smoke else self.config


def make_run(config: Config, seed: int, steps: int, eval_every: int, **optim: Any) -> RunConfig:
    """Return a run of these sections; `optim` replaces fields of the optimiser."""
    train = {**config["train"], "steps": steps, "eval_every": eval_every}
    whole = {**config, "train": train, "optim": {**config["optim"], **optim}, "seed": seed}
    return RunConfig.model_validate(whole)


def timed_run(config: Config, seed: int, members: int) -> RunConfig:
    """Return a run that lasts longer than it is watched, without an evaluation meanwhile."""
    steps = max(2000, 20_000 // members)
    return make_run(config, seed, steps, steps)


def checked_run(config: Config, seed: int, steps: int) -> RunConfig:
    """Return a short run with a whole schedule, whose loss is noted after every step."""
    warmup = min(CHECK_WARMUP, config["optim"].get("warmup_steps", 0))
    return make_run(config, seed, steps, 1, warmup_steps=warmup)


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


_G256 = {
    "graph": {"kind": "path_star", "arms": 256, "length": 5},
    "task": {"recipe": "mixed", "pauses": 1},
    "model": {"kind": "transformer", "layers": 2, "width": 64, "heads": 4},
    "optim": {"lr": 4e-3, "warmup_steps": 50},
    "train": {"edge_batch": 512, "path_batch": 48},
}
TINY = StepPoint(
    "tiny",
    "path-star(4, 5), edges only, full batch, one layer, width 32",
    {
        "graph": {"kind": "path_star", "arms": 4, "length": 5},
        "task": {"recipe": "edges_only"},
        "model": {"kind": "transformer", "layers": 1, "width": 32, "heads": 4},
        "optim": {"lr": 1e-2, "warmup_steps": 10},
        "train": {},
    },
    {},
    {
        "cpu": (Shape(256), Shape(128, processes=2), Shape(1)),
        "cuda": (Shape(4096), Shape(256), Shape(1)),
    },
)
G256 = StepPoint(
    "g256",
    "G(256, 5) mixed, 512 + 48 examples, two layers, width 64",
    _G256,
    {
        "graph": {"kind": "path_star", "arms": 16, "length": 5},
        "model": {"kind": "transformer", "layers": 1, "width": 16, "heads": 2},
        "train": {"edge_batch": 32, "path_batch": 6},
    },
    {
        "cpu": (
            *(Shape(8), Shape(4, processes=2), Shape(8, processes=2)),
            *(Shape(1), Shape(1, threads=2), Shape(1, processes=2)),
        ),
        "cuda": (Shape(512), Shape(64), Shape(1)),
    },
)
SMOKE_SHAPES = (Shape(3), Shape(1))
POINTS = {point.name: point for point in (TINY, G256)}
