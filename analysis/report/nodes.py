"""Which nodes of a graph are shown, and what their colours mean. Pure functions of arrays.

n nodes · P paths · L nodes of a path
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from geomem.analysis.arrays import Ints
from geomem.analysis.report.coordinates import spaced

MAX_SETS = 8


@dataclass(frozen=True)
class Colouring:
    """One way to colour nodes; `values` [n].

    category: places in `labels`, -1 for none; cycle: numbers of what has no names, -1 for none;
    scale: numbers on a scale.
    """

    name: str
    kind: Literal["category", "cycle", "scale"]
    values: Ints
    labels: tuple[str, ...] = ()


def shown_nodes(n: int, paths: Ints | None, most: int) -> Ints:
    """All nodes, or at most `most` of them: whole paths, evenly, or else single nodes."""
    if n <= most:
        return np.arange(n)
    if paths is None:
        return spaced(n, most)
    return np.unique(paths[spaced(len(paths), max(1, (most - 1) // (paths.shape[1] - 1)))])


def edges_among(edges: Ints, nodes: Ints, n: int) -> Ints:
    """Edges both of whose ends are shown, as places in `nodes`."""
    place = np.full(n, -1)
    place[nodes] = np.arange(len(nodes))
    ends = place[edges]
    return ends[(ends >= 0).all(1)]


def colourings(n: int, sets: Mapping[str, Ints], paths: Ints | None) -> list[Colouring]:
    """What a graph itself says of its nodes: sets, distance from the root, arm, order."""
    found = []
    if sets:
        found.append(by_set(n, sets))
    if paths is not None:
        depth, arm = np.zeros(n, np.int64), np.full(n, -1)
        for at, column in enumerate(paths.T):
            depth[column] = at
        arm[paths[:, 1:]] = np.unique(paths[:, 1], return_inverse=True)[1][:, None]
        found.append(Colouring("hops from the root", "scale", depth))
        found.append(Colouring("arm", "cycle", arm))
    return [*found, Colouring("node order", "scale", np.arange(n))]


def by_set(n: int, sets: Mapping[str, Ints]) -> Colouring:
    """Named sets; the smallest wins where they overlap, and the other nodes have none."""
    chosen = sorted(sets.items(), key=lambda item: -len(item[1]))[-MAX_SETS:]
    values = np.full(n, -1)
    for at, (_, nodes) in enumerate(chosen):
        values[nodes] = at
    return Colouring("node set", "category", values, tuple(name for name, _ in chosen))


def by_training(n: int, paths: Ints, held_out: Ints) -> Colouring:
    """Whether the paths through a node were trained on."""
    values = np.full(n, -1)
    values[paths[held_out]] = 1
    values[np.delete(paths, held_out, 0)] = 0
    values[paths[:, 0]] = 2
    return Colouring("held out", "category", values, ("on a trained path", "held out", "root"))
