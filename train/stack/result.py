"""What a finished stack leaves: the tensors and the metadata of its pack."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geomem.train.config.run import RunConfig, run_id
from geomem.train.stack.members import evaluation_steps, history_steps
from geomem.train.stack.state import NOT_YET, State
from geomem.train.stack.task import Task


@dataclass(frozen=True)
class StackResult:
    """tensors: name -> array, members first but for those that metadata lists as "shared"."""

    tensors: dict[str, NDArray[Any]]
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What a state holds of consecutive members, or of all of them, in their order.

    params: name -> [K, …]; metrics: name -> [K, points, …], measured after metrics_step [points];
    history: [K, points, n, m] or None, after history_step; left: diverged_at, stopped_at.
    """

    params: dict[str, Tensor]
    metrics: dict[str, Tensor]
    metrics_step: list[int]
    history: Tensor | None
    history_step: list[int]
    left: tuple[list[int], list[int]]

    @classmethod
    def of(cls, state: State) -> "Found":
        """Return what the state holds of all members."""
        return cls(
            params=state.params(),
            metrics={name: torch.stack(points, 1) for name, points in state.metrics.items()},
            metrics_step=state.metrics_step,
            history=torch.stack(state.history, 1) if state.history else None,
            history_step=state.history_step,
            left=state.left(),
        )

    def of_stack(self, first: int, runs: Sequence[RunConfig], task: Task) -> "Found":
        """Return what the runs, members from `first` on, would have left without the others.

        task: theirs alone. Padding is cut off, and points that only others have.
        """
        own = slice(first, first + len(runs))
        diverged, stopped = self.left[0][own], self.left[1][own]
        end = _last_point(runs, diverged, stopped)
        points = _places(self.metrics_step, set().union(*map(evaluation_steps, runs)), end)
        kept = _places(self.history_step, set().union(*map(history_steps, runs)), end)
        params = {name: t[own] for name, t in self.params.items()}
        for name in {"embedding", "unembedding"} & set(params):
            params[name] = params[name][:, : task.vocab]
        history = None
        if self.history is not None:
            nodes = task.embedding(params["embedding"]).shape[1]
            history = self.history[own, kept, :nodes]
        return Found(
            params=params,
            metrics={name: values[own, points] for name, values in self.metrics.items()},
            metrics_step=[self.metrics_step[i] for i in points],
            history=history,
            history_step=[self.history_step[i] for i in kept],
            left=(diverged, stopped),
        )


def _last_point(runs: Sequence[RunConfig], diverged: list[int], stopped: list[int]) -> int:
    """The point of evaluation at which the last of the runs had left; it ends their training."""
    ends = [
        stop if stop != NOT_YET else run.train.steps if lost == NOT_YET else lost + 1
        for run, lost, stop in zip(runs, diverged, stopped, strict=True)
    ]
    points = set().union(*map(evaluation_steps, runs))
    return min(point for point in points if point >= max(ends))


def _places(steps: list[int], own: set[int], end: int) -> list[int]:
    return [i for i, step in enumerate(steps) if step in own and step <= end]


def _shared(found: Found, task: Task) -> dict[str, NDArray[Any]]:
    shared = task.shared()
    shared["metrics_step"] = np.array(found.metrics_step, np.int64)
    if found.history is not None:
        shared["history_step"] = np.array(found.history_step, np.int64)
    return shared


def _members(runs: Sequence[RunConfig], found: Found) -> list[dict[str, Any]]:
    members = []
    for run, diverged, stopped in zip(runs, *found.left, strict=True):
        member: dict[str, Any] = {
            "run": run_id(run),
            "seed": run.seed,
            "status": "done" if diverged == NOT_YET else "diverged",
            "config": run.model_dump(mode="json"),
            "steps": run.train.steps,
        }
        if diverged != NOT_YET:
            member |= {"diverged_step": diverged, "steps": diverged}
        elif stopped != NOT_YET:
            member |= {"stopped_step": stopped, "steps": stopped}
        members.append(member)
    return members


def collect(
    runs: Sequence[RunConfig], task: Task, found: Found, keep_parameters: bool
) -> StackResult:
    """Gather what a stack found; embeddings stand in the task's canonical order."""
    own = task.tensors(found.params)
    own |= {f"metrics/{name}": values for name, values in found.metrics.items()}
    if found.history is not None:
        own["history/embedding"] = found.history
    if keep_parameters:
        kept = found.params | task.labels()
        own |= {f"parameters/{name}": tensor for name, tensor in kept.items()}
    shared = _shared(found, task)
    tensors = {name: t.detach().cpu().numpy() for name, t in own.items()}
    members = _members(runs, found)
    metadata = {
        "members": members,
        "shared": sorted(shared),
        "member_steps": sum(member["steps"] for member in members),
    }
    return StackResult(tensors | shared, metadata | task.metadata())


def provenance(device: str, chosen: Mapping[str, str], wall_seconds: float) -> dict[str, Any]:
    """Return on what a stack was trained, by which implementations, in what time."""
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return {
        "implementations": dict(sorted(chosen.items())),
        "device": name,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "wall_seconds": round(wall_seconds, 3),
    }
