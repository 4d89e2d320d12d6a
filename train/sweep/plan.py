"""How runs are divided into stacks: by shape, evenly, with work for every worker. No tensors."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from geomem.train.canonical import canonical_json
from geomem.train.config.graph import file_fields
from geomem.train.config.model import INIT_FIELDS
from geomem.train.config.run import RunConfig, run_id
from geomem.train.sweep.balance import Load, balanced_parts
from geomem.train.sweep.sizing import Sizing

VARIES_IN_TRAIN = {"steps", "stop_when", "divergence_loss"}


@dataclass(frozen=True)
class Stack:
    """Runs that are trained together; `id` is the SHA-256 of their ids, in order, and attempt."""

    id: str
    runs: tuple[RunConfig, ...]
    run_ids: tuple[str, ...]


def stack_key(run: RunConfig) -> str:
    """What runs of one stack have in common, as canonical JSON.

    Left out is what each member may have its own of: seed, optimiser, initialisation, rate of
    dropout (but not whether there is any), number of steps, early stop; and places of files.
    """
    return canonical_json(stack_fields(run))


def stack_fields(run: RunConfig) -> dict[str, Any]:
    """See `stack_key`."""
    payload = run.model_dump(
        mode="json",
        exclude={
            "seed": True,
            "optim": True,
            "model": set(INIT_FIELDS),
            "train": VARIES_IN_TRAIN,
            "graph": set(file_fields(run.graph)),
        },
    )
    payload["model"]["dropout"] = payload["model"].get("dropout", 0) > 0
    return payload


def plan_stacks(
    runs: Sequence[RunConfig], sizing: Sizing, slots: int, attempt: int = 0
) -> list[Stack]:
    """Divide runs into stacks of at most the size for their shape, with work for every slot.

    Runs of one key stand together, in order of first appearance; a key's stacks differ by one
    member at most. `attempt` tells stacks of the same runs apart when they are trained again.
    ConfigError for a graph's files that cannot be used.
    """
    groups: dict[str, list[RunConfig]] = {}
    for run in runs:
        groups.setdefault(stack_key(run), []).append(run)
    loads = [_load(key, group, sizing) for key, group in groups.items()]
    fewest = [-(-len(g) // sizing.most(key, g[0])) for key, g in groups.items()]
    parts = balanced_parts(loads, fewest, slots) if groups else []
    return [
        _stack(part, attempt)
        for group, load, count in zip(groups.values(), loads, parts, strict=True)
        for part in _divide(group, load.sizes(count))
    ]


def _load(key: str, group: Sequence[RunConfig], sizing: Sizing) -> Load:
    cost, steps = sizing.step_cost(key, group[0]), [run.train.steps for run in group]
    mean = sum(steps) / len(steps)
    least = sizing.least(key, group[0])
    return Load(len(group), cost.launch * max(steps), cost.member * mean, least)


def _divide(group: Sequence[RunConfig], sizes: Sequence[int]) -> list[Sequence[RunConfig]]:
    """Consecutive parts of these sizes."""
    ends = list(accumulate(sizes))
    return [group[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _stack(runs: Sequence[RunConfig], attempt: int) -> Stack:
    ids = tuple(run_id(run) for run in runs)
    text = canonical_json({"attempt": attempt, "runs": ids})
    return Stack(hashlib.sha256(text.encode()).hexdigest(), tuple(runs), ids)
