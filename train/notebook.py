"""Runs trained from Python, without a grid file and a sweep's folder."""

import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from geomem.train.config import RunConfig, run_id
from geomem.train.config.errors import ConfigError, Mark
from geomem.train.config.idle import Idle
from geomem.train.config.one_run import read_run
from geomem.train.config.words import describe, either
from geomem.train.packs import write_pack
from geomem.train.stack import Progress, train_stack
from geomem.train.sweep.plan import Stack, plan_stacks, stack_key
from geomem.train.sweep.results import flatten
from geomem.train.sweep.sizing import Sizing

Config = RunConfig | Mapping[str, Any]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Fitted:
    """What training left. Arrays are NumPy; `stack` names the runs, `metadata` is the pack's.

    Of a single configuration arrays are those of its run; of a list of them, even of one, each
    that is not shared by all runs leads with the member axis K, in the order of the list.
    """

    stack: Stack
    metadata: dict[str, Any]
    tensors: dict[str, NDArray[Any]] = field(repr=False)
    single: bool

    def tensor(self, name: str) -> NDArray[Any]:
        """A tensor of the pack, such as "arms" or "held_out"; KeyError names those there are."""
        if name not in self.tensors:
            raise KeyError(f"no tensor {name!r}; there are {', '.join(sorted(self.tensors))}")
        whole = self.tensors[name]
        return whole[0] if self.single and name not in self.metadata["shared"] else whole

    @property
    def embedding(self) -> NDArray[Any]:
        """Embeddings [n, m] or [K, n, m], rows in the graph's canonical order."""
        return self.tensor("embedding")

    @property
    def steps(self) -> NDArray[Any]:
        """The steps [points] at which the measures were taken."""
        return self.tensor("metrics_step")

    @cached_property
    def metrics(self) -> dict[str, NDArray[Any]]:
        """Each measure over the steps, [points, ...] or [K, points, ...]; NaN where not taken."""
        names = [name for name in self.tensors if name.startswith("metrics/")]
        return {name.removeprefix("metrics/"): self.tensor(name) for name in names}

    @property
    def status(self) -> list[str]:
        """Of each run "done" or "diverged"."""
        return [member["status"] for member in self.metadata["members"]]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the pack that a sweep would have left of this stack, and return its path.

        Raises DiskError.
        """
        path = Path(path)
        about = {**self.metadata, "stack": self.stack.id, "attempt": 0}
        write_pack(path, self.tensors, about)
        return path


def fit(
    config: Config | Sequence[Config],
    *,
    device: Device = "auto",
    parameters: bool = False,
    report: Callable[[Progress], None] | None = None,
) -> Fitted:
    """Train one run, or several of one shape together, and return what it left.

    config: fields as in a grid file, nested or dotted, and `seed`; or RunConfigs, such as those of
    `load_grid(...).runs`. Values may be NumPy's, and paths Path objects. parameters: keep every
    parameter. report: called a few times a second. The result is that of a sweep of the same runs.
    Warns of values that change nothing. Raises ConfigError for what is wrong with a configuration,
    for equal ones, for a list of more than one shape, and for a device that is not there.
    """
    single = isinstance(config, RunConfig | Mapping)
    place = _place(device)
    idle = Idle()
    stack = _one_stack([_as_run(config, idle)] if single else _as_runs(_items(config), idle))
    for text in idle.warnings():
        warnings.warn(text, stacklevel=2)
    result = train_stack(stack.runs, device=place, keep_parameters=parameters, report=report)
    return Fitted(stack, result.metadata, result.tensors, single)


def _place(device: str) -> str:
    known = get_args(Device)
    if device not in known:
        _refuse(f"device: expected {either(known)}, got {describe(device)}")
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        _refuse("device: PyTorch finds no CUDA device here; take cpu, or auto for what there is")
    if device == "auto":
        return "cuda" if there else "cpu"
    return device


def _items(configs: Any) -> Iterable[Any]:
    if isinstance(configs, str) or not isinstance(configs, Iterable):
        _refuse(
            f"expected the fields of a run or a list of such runs, got {describe(configs)}; "
            "those of a grid are load_grid(...).runs"
        )
    return configs


def _as_runs(configs: Iterable[Any], idle: Idle) -> list[RunConfig]:
    runs = []
    for at, config in enumerate(configs):
        try:
            runs.append(_as_run(config, idle))
        except ConfigError as error:
            place = Mark(f"configuration {at}")
            raise ConfigError([(place, text) for _, text in error.problems]) from None
    return runs


def _as_run(config: Any, idle: Idle) -> RunConfig:
    if isinstance(config, RunConfig):
        # It is read, too: only so is the content of its graph's files known.
        return read_run(config.model_dump(mode="json"))
    fields = config
    if not isinstance(fields, Mapping):
        _refuse(f"expected a run's fields, such as {{'optim.lr': 1e-2}}, got {describe(fields)}")
    if "seeds" in fields:
        _refuse("seeds: a run has one `seed`; give a list of runs, each with a seed of its own")
    try:
        return read_run(_plain(fields), idle)
    except RecursionError:
        _refuse("fields nest without end: does a mapping or list contain itself?")


def _plain(value: Any) -> Any:
    """The value as a grid file would have it, where it is of NumPy or a path."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _refuse(problem: str) -> NoReturn:
    raise ConfigError([(None, problem)])


def _one_stack(runs: Sequence[RunConfig]) -> Stack:
    if not runs:
        _refuse("no configuration, so nothing would be trained; give one")
    ids = [run_id(run) for run in runs]
    again = next((at for at, run in enumerate(ids) if run in ids[:at]), None)
    if again is not None:
        _refuse(f"runs {ids.index(ids[again])} and {again} are equal; give each a seed of its own")
    stacks = plan_stacks(runs, Sizing(len(runs)), 1)
    if len(stacks) > 1:
        _refuse(_unlike(stacks[0].runs[0], stacks[1].runs[0]))
    return stacks[0]


def _unlike(one: RunConfig, other: RunConfig) -> str:
    a, b = (flatten(json.loads(stack_key(run))) for run in (one, other))
    named = [f"{n} ({a.get(n)} and {b.get(n)})" for n in a | b if a.get(n) != b.get(n)]
    return (
        f"runs of one call share a shape, and these differ in {', '.join(named)}; "
        "call fit for each shape"
    )
