"""What a finished stack leaves: the tensors and the metadata of its pack."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geomem.train.config.run import RunConfig, run_id
from geomem.train.stack.batches import gather_rows
from geomem.train.stack.state import NOT_YET, State
from geomem.train.tasks.in_weights import Tables


@dataclass(frozen=True)
class StackResult:
    """tensors: name -> array, members first but for those that metadata lists as "shared"."""

    tensors: dict[str, NDArray[Any]]
    metadata: dict[str, Any]


def _embeddings(state: State, tables: Tables) -> dict[str, Tensor]:
    params = state.arena.params
    found = {}
    if tables.special_tokens:
        found["special_embedding"] = params["embedding"][:, : tables.special_tokens]
    for name in ("embedding", "unembedding"):
        if name in params:
            found[name] = gather_rows(params[name], tables.node_token)
    return found


def _measures(state: State) -> dict[str, Tensor]:
    found = {f"metrics/{name}": torch.stack(points, 1) for name, points in state.metrics.items()}
    if state.history:
        found["history/embedding"] = torch.stack(state.history, 1)
    return found


def _shared(state: State, tables: Tables) -> dict[str, NDArray[Any]]:
    graph = tables.graph
    found: dict[str, NDArray[Any]] = {"edges": graph.edges, **graph.sets}
    found["metrics_step"] = np.array(state.metrics_step, np.int64)
    if state.history:
        found["history_step"] = np.array(state.history_step, np.int64)
    return found


def _members(runs: Sequence[RunConfig], state: State) -> list[dict[str, Any]]:
    members = []
    left = zip(runs, state.diverged_at.tolist(), state.stopped_at.tolist(), strict=True)
    for run, diverged, stopped in left:
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
    runs: Sequence[RunConfig],
    tables: Tables,
    state: State,
    device: str,
    wall_seconds: float,
    keep_parameters: bool,
) -> StackResult:
    """Gather the pack of a stack; embeddings stand in the graph's canonical node order."""
    params = state.arena.params
    own = _embeddings(state, tables) | _measures(state)
    if tables.paths is not None:
        own["held_out"] = tables.paths.held_out
    if keep_parameters:
        own |= {f"parameters/{name}": params[name] for name in params}
        own["parameters/node_token"] = tables.node_token
    shared = _shared(state, tables)
    tensors = {name: t.detach().cpu().numpy() for name, t in own.items()}
    members = _members(runs, state)
    metadata = {
        "members": members,
        "shared": sorted(shared),
        "implementations": {
            "linear_cross_entropy": "reference",
            "short_attention": "reference",
            "adamw_step": "reference",
        },
        "device": _device_name(device),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "wall_seconds": round(wall_seconds, 3),
        "member_steps": sum(member["steps"] for member in members),
    }
    if tables.graph.names is not None:
        metadata["node_names"] = list(tables.graph.names)
    return StackResult(tensors | shared, metadata)


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device
