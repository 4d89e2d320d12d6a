"""What figures call a run: its graph, its model, and in what it is unlike the plain recipe."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from geomem.analysis.sweeps import Member
from geomem.train.sweep.results import DIGESTS, Value, in_order
from geomem.train.sweep.table import DIGITS, short, shown

SIZES = {
    "path_star": ("arms", "length"),
    "tree_star": ("arms", "branching", "length"),
    "grid": ("rows", "columns"),
    "cycle": ("nodes",),
}
TIED = {"transformer": True, "mamba": True, "feed_forward": True, "node2vec": True, "recall": False}
TABLES = ("subjects", "relations", "attributes")
ALL_NAMED = 3  # as many differing fields are named even where most configurations agree
MISSING = object()


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


def learns_paths(member: Member) -> bool:
    """Whether the run had paths of its graph among its examples."""
    task = member.config["task"]
    return bool(task["kind"] == "in_weights" and task["recipe"] != "edges_only")


def told_apart(names: Sequence[str], fields: Sequence[Mapping[str, Value]]) -> list[str]:
    """The names, each with those of its fields in which it is unlike others of the same name.

    Equal only where all fields are. Where more than three fields differ, as among one-off variants,
    the value that more than half of the name's configurations have is left out.
    """
    # A file's digest, where its path does not tell it from others.
    digests = [{n: str(v)[:DIGITS] for n, v in own.items() if n in DIGESTS} for own in fields]
    others = [{n: v for n, v in own.items() if n not in DIGESTS} for own in fields]
    return _with_differences(_with_differences(names, others), digests)


def _with_differences(names: Sequence[str], fields: Sequence[Mapping[str, Any]]) -> list[str]:
    alike: dict[str, dict[tuple[Any, ...], Mapping[str, Any]]] = {}
    for name, own in zip(names, fields, strict=True):
        alike.setdefault(name, {})[tuple(sorted(own.items()))] = own
    counts = {name: _differing(list(rows.values())) for name, rows in alike.items()}
    return [
        ", ".join([name, *_words(own, counts[name], len(alike[name]) // 2)])
        for name, own in zip(names, fields, strict=True)
    ]


def _differing(rows: Sequence[Mapping[str, Any]]) -> dict[str, Counter[Any]]:
    """How often each value occurs, of the fields that are not the same in all rows."""
    found = {name: Counter(row.get(name, MISSING) for row in rows) for name in in_order(rows)}
    return {name: counts for name, counts in found.items() if len(counts) > 1}


def _words(own: Mapping[str, Any], differing: Mapping[str, Counter[Any]], half: int) -> list[str]:
    words = []
    for name, counts in differing.items():
        value, brief = own.get(name, MISSING), short(name, list(differing))
        if len(differing) <= ALL_NAMED or counts[value] <= half:
            words.append(f"no {brief}" if value is MISSING else f"{brief} {shown(value)}")
    return words
