"""How runs are divided into stacks: by shape, evenly, with work for every worker. No tensors."""

import hashlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from geomem.train.config.run import RunConfig, canonical_json, run_id
from geomem.train.sweep.size import auto_members, step_operations

VARIES_IN_MODEL = {
    *("token_std", "position_std", "weight_std"),
    *("subject_std", "relation_std", "attribute_std", "query_std"),
}
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
    dropout (but not whether there is any), number of steps, early stop, and where an edge list is.
    """
    payload = run.model_dump(
        mode="json",
        exclude={
            "seed": True,
            "optim": True,
            "model": VARIES_IN_MODEL,
            "train": VARIES_IN_TRAIN,
            "graph": {"path"},
        },
    )
    payload["model"]["dropout"] = payload["model"].get("dropout", 0) > 0
    return canonical_json(payload)


def plan_stacks(
    runs: Sequence[RunConfig], members: int | Literal["auto"], slots: int, attempt: int = 0
) -> list[Stack]:
    """Divide runs into stacks of at most `members`, and into at least `slots` if that can be.

    Runs of one key stand together, in order of first appearance; a key's stacks differ by one
    member at most. `attempt` tells stacks of the same runs apart when they are trained again.
    ConfigError for an edge list that cannot be read.
    """
    groups: dict[str, list[RunConfig]] = {}
    for run in runs:
        groups.setdefault(stack_key(run), []).append(run)
    largest = [auto_members(g[0]) if members == "auto" else members for g in groups.values()]
    parts = [-(-len(g) // most) for g, most in zip(groups.values(), largest, strict=True)]
    _occupy(list(groups.values()), parts, slots)
    return [
        _stack(part, attempt)
        for group, count in zip(groups.values(), parts, strict=True)
        for part in _divide(group, count)
    ]


def _occupy(groups: Sequence[Sequence[RunConfig]], parts: list[int], slots: int) -> None:
    """Raise `parts`, the costliest stack first, until there is one for each slot."""
    costs = [step_operations(g[0]) * sum(run.train.steps for run in g) for g in groups]
    heap = [(-costs[i] / parts[i], i) for i, g in enumerate(groups) if parts[i] < len(g)]
    heapq.heapify(heap)
    for _ in range(slots - sum(parts)):
        if not heap:
            return
        _, i = heapq.heappop(heap)
        parts[i] += 1
        if parts[i] < len(groups[i]):
            heapq.heappush(heap, (-costs[i] / parts[i], i))


def _divide(group: Sequence[RunConfig], parts: int) -> list[Sequence[RunConfig]]:
    """Consecutive parts whose sizes differ by one at most, larger ones first."""
    size, larger = divmod(len(group), parts)
    ends = [(i + 1) * size + min(i + 1, larger) for i in range(parts)]
    return [group[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _stack(runs: Sequence[RunConfig], attempt: int) -> Stack:
    ids = tuple(run_id(run) for run in runs)
    text = canonical_json({"attempt": attempt, "runs": ids})
    return Stack(hashlib.sha256(text.encode()).hexdigest(), tuple(runs), ids)
