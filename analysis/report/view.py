"""What the interactive view of embeddings is given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from geomem.analysis.arrays import Floats, Ints
from geomem.analysis.figures.groups import Group, grouped, with_graph
from geomem.analysis.report.coordinates import (
    DIMENSIONS,
    in_basis,
    packed,
    quantised,
    spaced,
    spread_basis,
)
from geomem.analysis.report.limits import Limits
from geomem.analysis.report.nodes import (
    Colouring,
    by_training,
    colourings,
    edges_among,
    shown_nodes,
)
from geomem.analysis.sweeps import Member

NOT_SETS = ("edges", "arms", "paths", "metrics_step", "history_step")
HISTORY = "history/embedding"


@dataclass
class View:
    """Runs to choose from, the graphs that they share, and what had to be left out."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    graphs: list[dict[str, Any]] = field(default_factory=list)
    left_out: int = 0
    thinned: bool = False


def make_view(members: Sequence[Member], limits: Limits) -> View:
    """Take in runs, the first seed of each configuration first, until a limit is met."""
    view, numbers, seen = View(), 0, dict[bytes, int]()
    ordered = _first_seeds_first(grouped(with_graph(members)))
    for label, member in ordered:
        if len(view.runs) >= limits.runs or numbers >= limits.numbers:
            break
        embedding = member.tensor("embedding")
        if not np.isfinite(embedding).all():
            continue
        nodes = shown_nodes(len(embedding), paths_of(member), limits.nodes)
        most = max(1, (limits.numbers - numbers) // (len(nodes) * DIMENSIONS))
        steps, history = _history(member, min(limits.steps, most))
        view.thinned |= len(nodes) < len(embedding) or len(steps) < _points(member)
        numbers += len(steps) * len(nodes) * DIMENSIONS
        graph = _graph(view, seen, member, nodes)
        view.runs.append(_run(label, member, nodes, steps, history) | {"graph": graph})
    view.left_out = len(ordered) - len(view.runs)
    return view


def paths_of(member: Member) -> Ints | None:
    """Paths [P, L] from root to leaf, of a path-star or tree-star."""
    name = next((name for name in ("arms", "paths") if member.has(name)), None)
    return None if name is None else member.tensor(name)


def _first_seeds_first(groups: Sequence[Group]) -> list[tuple[str, Member]]:
    longest = max((len(group.members) for group in groups), default=0)
    return [
        (
            f"{group.label} · {group.graph} · seed {group.members[at].config['seed']}",
            group.members[at],
        )
        for at in range(longest)
        for group in groups
        if at < len(group.members)
    ]


def _points(member: Member) -> int:
    return int(member.pack.shape(HISTORY)[1]) if member.has(HISTORY) else 1


def _history(member: Member, most: int) -> tuple[Ints, Floats]:
    """Steps [S] and embeddings [S, n, m], the last of them that at the end."""
    last, end = member.tensor("embedding"), int(member.row["steps"])
    if most < 2 or not member.has(HISTORY):
        return np.array([end]), last[None]
    steps, history = member.tensor("history_step"), member.tensor(HISTORY)
    kept = steps < end
    steps, history = np.append(steps[kept], end), np.concatenate([history[kept], last[None]])
    chosen = spaced(len(steps), most)
    return steps[chosen], history[chosen]


def _run(label: str, member: Member, nodes: Ints, steps: Ints, history: Floats) -> dict[str, Any]:
    basis = spread_basis(history[-1])
    points, scale = quantised(in_basis(history, basis)[:, nodes])
    paths = paths_of(member)
    own = []
    if paths is not None and member.has("held_out"):
        own.append(by_training(history.shape[1], paths, member.tensor("held_out")))
    return {
        "label": label,
        "run": member.row["run"][:12],
        "steps": steps.tolist(),
        "points": packed(points),
        "scale": scale,
        "shares": [round(float(share), 4) for share in basis.shares],
        "colourings": [_coloured(colouring, nodes) for colouring in own],
    }


def _graph(view: View, seen: dict[bytes, int], member: Member, nodes: Ints) -> int:
    """The place of the member's graph among those of the view, where it is put once."""
    edges = member.tensor("edges")
    names = member.pack.metadata.get("node_names")
    key = edges.tobytes() + nodes.tobytes() + repr(names).encode()
    if key in seen:
        return seen[key]
    n = int(member.pack.shape("embedding")[1])
    sets = {
        name: member.tensor(name)
        for name in member.pack.shared
        if name not in NOT_SETS and len(member.pack.shape(name)) == 1
    }
    view.graphs.append(
        {
            "n": n,
            "nodes": packed(nodes.astype(np.int32)),
            "edges": packed(edges_among(edges, nodes, n).astype(np.int32)),
            "names": [names[node] for node in nodes] if names else None,
            "colourings": [_coloured(c, nodes) for c in colourings(n, sets, paths_of(member))],
        }
    )
    seen[key] = len(view.graphs) - 1
    return seen[key]


def _coloured(colouring: Colouring, nodes: Ints) -> dict[str, Any]:
    values = colouring.values[nodes]
    return {
        "name": colouring.name,
        "kind": colouring.kind,
        "labels": colouring.labels,
        "values": packed(values.astype(np.int32)),
    }
