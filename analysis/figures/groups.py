"""Runs as figures tell them apart: configurations with names, seeds taken together."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from geomem.analysis.figures.names import graph_name, learns_paths, told_apart, variant
from geomem.analysis.sweeps import Member
from geomem.train.sweep.results import Value

NOT_FIELDS = ("run", "status", "steps")
SIZES_OF_FACTS = ("task.subjects", "task.relations")


@dataclass(frozen=True)
class Group:
    """Runs of one configuration on one graph.

    label: what they are; of the groups that were made together, those that differ in nothing but
    their graph have one label, and no others do. graph: on which graph, by the same rule.
    """

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
    members: Sequence[Member],
    apart: Collection[str] = ("seed",),
    only_done: bool = True,
    graph_beside: bool = True,
) -> list[Group]:
    """Groups of the runs (that are done) that differ in nothing but the fields `apart`.

    graph_beside: whether `graph` will stand beside the label, which else tells graphs apart, too.
    """
    found: dict[str, list[Member]] = {}
    for member in members:
        if member.done or not only_done:
            key = json.dumps(_fields(member, apart), sort_keys=True)
            found.setdefault(key, []).append(member)
    firsts = [group[0] for group in found.values()]
    fields = [_fields(member, apart) for member in firsts]
    of_graph = [{n: v for n, v in own.items() if _says_the_graph(n, own)} for own in fields]
    rest = [{n: v for n, v in own.items() if not _says_the_graph(n, own)} for own in fields]
    paths = any(map(learns_paths, firsts))
    labels = told_apart([_label(m, paths) for m in firsts], rest if graph_beside else fields)
    graphs = told_apart([graph_name(member) for member in firsts], of_graph)
    return [Group(*each) for each in zip(labels, graphs, found.values(), strict=True)]


def arm_count(member: Member) -> int:
    """How many arms the path-star of a run has; only where the pack has `arms`."""
    return int(member.pack.shape("arms")[0])


def with_graph(members: Sequence[Member]) -> list[Member]:
    """Runs that learned one graph; the embeddings of others have no edges to hold them against."""
    return [member for member in members if member.has("edges")]


def standard(member: Member) -> bool:
    """Whether a run is of the plain recipe, not one of the controls."""
    task, model = member.config["task"], member.config["model"]
    plain_task = task.get("edges") == "both" and task.get("target") == "full_path"
    plain_task &= task.get("recipe") != "edges_only" and not task.get("reverse_paths")
    return bool(plain_task and not model.get("freeze_embeddings") and member.done)


def _label(member: Member, paths: bool) -> str:
    """The variant, and that it learned no paths of its graph where others did of theirs."""
    alone = paths and member.config["task"]["kind"] == "in_weights" and not learns_paths(member)
    return variant(member) + (", no paths" if alone else "")


def _fields(member: Member, apart: Collection[str]) -> dict[str, Value]:
    return {n: v for n, v in member.row.items() if n not in NOT_FIELDS and n not in apart}


def _says_the_graph(name: str, fields: Mapping[str, Value]) -> bool:
    """Whether a field is in the name of the graph, or would tell it from others of that name."""
    facts = fields["task.kind"] == "facts"
    return name.startswith("graph.") or (facts and name in SIZES_OF_FACTS)
