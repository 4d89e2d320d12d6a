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
from geomem.train.stack.state import NOT_YET, State
from geomem.train.stack.task import Task


@dataclass(frozen=True)
class StackResult:
    """tensors: name -> array, members first but for those that metadata lists as "shared"."""

    tensors: dict[str, NDArray[Any]]
    metadata: dict[str, Any]


def _measures(state: State) -> dict[str, Tensor]:
    found = {f"metrics/{name}": torch.stack(points, 1) for name, points in state.metrics.items()}
    if state.history:
        found["history/embedding"] = torch.stack(state.history, 1)
    return found


def _shared(state: State, task: Task) -> dict[str, NDArray[Any]]:
    found = task.shared()
    found["metrics_step"] = np.array(state.metrics_step, np.int64)
    if state.history:
        found["history_step"] = np.array(state.history_step, np.int64)
    return found


def _members(runs: Sequence[RunConfig], state: State) -> list[dict[str, Any]]:
    members = []
    for run, diverged, stopped in zip(runs, *state.left(), strict=True):
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
    runs: Sequence[RunConfig], task: Task, state: State, keep_parameters: bool
) -> StackResult:
    """Gather what a stack found; embeddings stand in the task's canonical order."""
    params = state.params()
    own = task.tensors(params) | _measures(state)
    if keep_parameters:
        kept = params | task.labels()
        own |= {f"parameters/{name}": tensor for name, tensor in kept.items()}
    shared = _shared(state, task)
    tensors = {name: t.detach().cpu().numpy() for name, t in own.items()}
    members = _members(runs, state)
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
