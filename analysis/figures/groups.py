"""Runs as figures tell them apart: configurations with names, seeds taken together."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from geomem.analysis.sweeps import Member

MAX_DIFFERENCES = 3  # named in a label
SIZES = {
    "path_star": ("arms", "length"),
    "tree_star": ("arms", "branching", "length"),
    "grid": ("rows", "columns"),
    "cycle": ("nodes",),
}
TIED = {"transformer": True, "mamba": True, "feed_forward": True, "node2vec": True, "recall": False}
TABLES = ("subjects", "relations", "attributes")


@dataclass(frozen=True)
class Group:
    """Runs of one configuration; `label` says what they are, `graph` on which graph."""

    label: str
    graph: str
    members: list[Member]

    @property
    def first(self) -> Member:
        """The run that stands for the group where only one can be shown."""
        return self.members[0]

    @property
    def nodes(self) -> int:
        """Nodes of the graph; reads no tensor."""
        return int(self.first.pack.shape("embedding")[1])


def grouped(
    members: Sequence[Member], apart: Collection[str] = ("seed",), only_done: bool = True
) -> list[Group]:
    """Groups of the runs (that are done) that differ in nothing but the fields `apart`."""
    found: dict[str, list[Member]] = {}
    for member in members:
        if member.done or not only_done:
            fields = {name: v for name, v in _fields(member).items() if name not in apart}
            found.setdefault(json.dumps(fields, sort_keys=True), []).append(member)
    paths = any(member.has("held_out") for member in members)
    named = [(_label(group[0], paths), graph_name(group[0]), group) for group in found.values()]
    alike: dict[tuple[str, str], list[Member]] = {}
    for label, graph, group in named:
        alike.setdefault((label, graph), []).append(group[0])
    return [
        Group(label + _differences(group[0], alike[label, graph], apart), graph, group)
        for label, graph, group in named
    ]


def arm_count(member: Member) -> int:
    """How many arms the path-star of a run has; only where the pack has `arms`."""
    return int(member.pack.shape("arms")[0])


def with_graph(members: Sequence[Member]) -> list[Member]:
    """Runs that learned one graph; the embeddings of others have no edges to hold them against."""
    return [member for member in members if member.has("edges")]


def graph_name(member: Member) -> str:
    """Such as "grid 4×4" or "path-star (256, 5)", as papers write it, or "facts 512 × 2"."""
    graph = member.config["graph"]
    if graph is None:
        task = member.config["task"]
        return f"facts {task['subjects']} × {task['relations']}"
    name = graph["kind"].replace("_", "-")
    sizes = [str(graph[field]) for field in SIZES.get(graph["kind"], ())]
    if name == "grid":
        return f"{name} {'×'.join(sizes)}"
    if len(sizes) > 1:
        return f"{name} ({', '.join(sizes)})"
    return " ".join([name, *sizes])


def model_name(member: Member) -> str:
    """The kind of model; the frozen feed-forward net is the associative control."""
    model = member.config["model"]
    if model["kind"] == "feed_forward" and model["freeze_embeddings"]:
        return "associative"
    return str(model["kind"]).replace("_", "-")


def variant(member: Member) -> str:
    """The model and in what its task is not the plain recipe."""
    task, model = member.config["task"], member.config["model"]
    words = [model_name(member)]
    if task["kind"] == "in_context":
        words.append("in-context")
    if model.get("freeze_embeddings") and words != ["associative"]:
        words.append("frozen embeddings")
    if "tie" in model and model["tie"] != TIED[model["kind"]]:
        words.append("tied" if model["tie"] else "untied")
    if task.get("edges", "both") != "both":
        words.append(
            "edges as given" if task["edges"] == "given" else f"{task['edges']} edges only"
        )
    if task.get("target") == "hardest_token":
        words.append("hardest token")
    if task.get("teacherless"):
        words.append("teacherless")
    if task.get("reverse_paths"):
        words.append("reverse paths")
    if task.get("recipe") == "staged":
        words.append("staged")
    if task.get("self_edges"):
        words.append("self-edges")
    words += _facts_words(task) if task["kind"] == "facts" else []
    words += [f"frozen {name}" for name in TABLES if model.get(f"freeze_{name}")]
    return ", ".join(words)


def _facts_words(task: dict[str, Any]) -> list[str]:
    words = ["disjoint attributes"] if task["attributes"] == "disjoint" else []
    if task["hops"] > 1:
        words.append(f"{task['hops']} hops")
        words.append("chain of thought" if task["chain_of_thought"] else "direct")
    return words


def _label(member: Member, paths: bool) -> str:
    """The variant, and that it learned no paths where others did."""
    alone = paths and not member.has("held_out")
    return variant(member) + (", no paths" if alone else "")


def standard(member: Member) -> bool:
    """Whether a run is of the plain recipe, not one of the controls."""
    task, model = member.config["task"], member.config["model"]
    plain_task = task.get("edges") == "both" and task.get("target") == "full_path"
    plain_task &= task.get("recipe") != "edges_only" and not task.get("reverse_paths")
    return bool(plain_task and not model.get("freeze_embeddings") and member.done)


def _fields(member: Member) -> dict[str, Any]:
    return {k: v for k, v in member.row.items() if k not in ("run", "status", "steps")}


def _differences(member: Member, others: Sequence[Member], apart: Collection[str]) -> str:
    """The fields in which groups that would have the same label differ, less what most have."""
    own, rows = _fields(member), [_fields(other) for other in others]
    missing = object()

    def alike(name: str) -> int:
        return sum(row.get(name, missing) == own[name] for row in rows)

    few = max(1, len(rows) // 2)  # at most one group of two has a value that is not named
    differing = [name for name in own if name not in apart and alike(name) <= few < len(rows)]
    words = [
        f"{name.rpartition('.')[2]} {json.dumps(own[name])}" for name in differing[:MAX_DIFFERENCES]
    ]
    return "".join(f", {word}" for word in words) + (", …" if len(differing) > len(words) else "")
