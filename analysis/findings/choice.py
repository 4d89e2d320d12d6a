"""Which runs a finding is about, by their configuration."""

from collections.abc import Iterable, Mapping
from typing import Any

from geomem.analysis.figures.groups import arm_count
from geomem.analysis.sweeps import Member

PATHS = {
    "task.kind": "in_weights",
    "task.recipe": "mixed",
    "task.target": "full_path",
    "task.edges": "both",
    "task.reverse_paths": False,
    "task.teacherless": False,
}
"""The plain recipe of paths."""
WHOLE = {
    "model.freeze_embeddings": False,
    "model.attention": True,
    "model.residual": True,
    "model.norm": True,
}
"""A model with all of its parts, all of them trained."""
EDGES = {"task.kind": "in_weights", "task.recipe": "edges_only", "task.edges": "both"}
"""Nothing but edges."""
NAMES = {"transformer": "Transformer", "mamba": "Mamba", "feed_forward": "feed-forward net"}
TINY = {
    "path-star": {"graph.kind": "path_star"},
    "grid": {"graph.kind": "grid"},
    "cycle": {"graph.kind": "cycle"},
    "irregular": {"graph.kind": "irregular"},
}
TINY_NODES = 64


def choose(members: Iterable[Member], *wanted: Mapping[str, Any]) -> list[Member]:
    """The runs with these fields, by dotted name; of two for the same field the later counts.

    A tuple stands for any of its values. A field that a kind of model does not have counts as met.
    """
    fields = {name: value for mapping in wanted for name, value in mapping.items()}
    return [member for member in members if _meets(member.row, fields)]


def _meets(row: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    return all(
        row[name] in (value if isinstance(value, tuple) else (value,))
        for name, value in fields.items()
        if name in row
    )


def stars(members: Iterable[Member], least: int = 0) -> list[Member]:
    """Runs on path-stars of at least so many arms."""
    return [member for member in members if member.has("arms") and arm_count(member) >= least]


def nodes(member: Member) -> int:
    """How many nodes the graph of a run has."""
    return int(member.pack.shape("embedding")[1])


def tiny(members: Iterable[Member]) -> dict[str, list[Member]]:
    """Runs on nothing but the edges of tiny graphs, by the name of the graph."""
    small = [m for m in choose(members, EDGES) if m.has("edges") and nodes(m) <= TINY_NODES]
    found = {name: choose(small, fields) for name, fields in TINY.items()}
    return {name: own for name, own in found.items() if own}
