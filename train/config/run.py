"""One run: a configuration with one seed, and the identity that follows from it."""

import hashlib
import json
from typing import Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from geomem.train.config.base import Section
from geomem.train.config.graph import EdgeList, GraphConfig
from geomem.train.config.model import FeedForward, ModelConfig, Node2Vec
from geomem.train.config.task import TaskConfig
from geomem.train.config.training import Optim, Train


class RunConfig(Section):
    """Everything that decides the result of a run."""

    graph: GraphConfig
    task: TaskConfig = TaskConfig()
    model: ModelConfig
    optim: Optim
    train: Train
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Of the labels, the initialisation, the order of the data and the dropout."""

    @model_validator(mode="after")
    def _parts_fit(self) -> "RunConfig":
        _check_paths(self)
        _check_stages(self)
        _check_ascent(self)
        return self


def held_out_count(total: int, fraction: float) -> int:
    """How many of `total` leaves (or subtrees) a test share of `fraction` keeps out."""
    return int(total * fraction + 0.5)


def _refuse(field: str, message: str, **context: Any) -> None:
    raise PydanticCustomError("mismatch", message, {"field": field, **context})


def _check_paths(run: RunConfig) -> None:
    graph, task = run.graph, run.task
    if task.recipe == "edges_only":
        return
    if isinstance(graph, EdgeList) or graph.path_count == 0:
        _refuse(
            "task.recipe",
            "recipe {recipe} needs paths, and a graph of kind {kind} has none; "
            "use path_star or tree_star, or recipe edges_only",
            recipe=task.recipe,
            kind=graph.kind,
        )
        return
    if isinstance(run.model, Node2Vec):
        _refuse("model.kind", "node2vec trains on edges alone; use recipe edges_only")
    if isinstance(run.model, FeedForward):
        _refuse(
            "model.kind",
            "a feed_forward model sees one token at a time and cannot learn paths; "
            "use recipe edges_only, or another model",
        )
    total = graph.path_count if task.split == "leaf" else graph.arms  # type: ignore[union-attr]
    held_out = held_out_count(total, task.test_fraction)
    if held_out == 0 or held_out == total:
        _refuse(
            "task.test_fraction",
            "{fraction} of {total} {what} keeps {held_out} for the test and {rest} for the "
            "training, and both need one at least; take a larger graph or another fraction",
            fraction=task.test_fraction,
            total=total,
            what="leaves" if task.split == "leaf" else "subtrees",
            held_out=held_out,
            rest=total - held_out,
        )


def _check_stages(run: RunConfig) -> None:
    staged = run.task.recipe == "staged"
    edge_steps = run.train.edge_steps
    if not staged and edge_steps is not None:
        _refuse("train.edge_steps", "edge_steps belongs to recipe staged; leave it out")
    if staged and edge_steps is None:
        _refuse("train.edge_steps", "recipe staged needs train.edge_steps, the edge stage's length")
    if staged and edge_steps is not None and edge_steps >= run.train.steps:
        _refuse(
            "train.edge_steps",
            "edge_steps {edge_steps} leaves none of the {steps} steps to the paths",
            edge_steps=edge_steps,
            steps=run.train.steps,
        )


# AdamW's and its gradient's: a plain ascent has none of them. With the only value it can take.
_NO_ADAMW = {
    "weight_decay": 0.0,
    "betas": (0.9, 0.999),
    "eps": 1e-8,
    "clip": None,
    "edge_lr": None,
    "edge_warmup_steps": 0,
}


def _check_ascent(run: RunConfig) -> None:
    if not isinstance(run.model, Node2Vec):
        return
    for name, only in _NO_ADAMW.items():
        if getattr(run.optim, name) != only:
            remedy = "set it to 0" if name == "weight_decay" else "leave it out"
            _refuse(
                f"optim.{name}",
                "node2vec climbs its objective with optim.lr alone and has no {name}; {remedy}",
                name=name,
                remedy=remedy,
            )
    if run.train.edge_batch != "all":
        _refuse("train.edge_batch", "node2vec takes all edges in each step; leave it out")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def run_id(run: RunConfig) -> str:
    """SHA-256 (64 hex digits) of the run's canonical JSON, all defaults filled in.

    The place of an edge-list file does not count; its content does.
    """
    payload = run.model_dump(mode="json")
    payload["graph"].pop("path", None)
    return hashlib.sha256(canonical_json(payload).encode()).hexdigest()
