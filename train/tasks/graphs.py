"""Graphs as arrays, in a canonical node order that does not depend on any seed. No torch."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from geomem.train.config.graph import (
    Cycle,
    EdgeList,
    GraphConfig,
    Grid,
    Irregular,
    PathStar,
    Text,
    TreeStar,
)
from geomem.train.tasks.edge_list import read_edge_list
from geomem.train.tasks.text_data import read_text_data

Ints = NDArray[np.int64]

# arXiv 2510.26745: 16 nodes in two parts that have nothing in common.
_IRREGULAR = """
0-1 1-2 1-3 2-3 3-4 4-5 5-6 5-8 6-7 7-8 8-9 9-10 10-11 11-0
12-13 12-14 12-15 13-14 13-15 14-15
"""


@dataclass(frozen=True)
class Graph:
    """n nodes; edges int64 [E, 2] from parent to child, sorted; named node sets.

    paths: int64 [P, L] from root to leaf, one row per leaf, or None; branch: int64 [P], the
    subtree of the root that a path runs through; names: what a file calls the nodes. Of a text
    graph, examples: int64 [X, 2], the directed edges to learn; edge_file: what has them; held_out:
    rows of paths.
    """

    n: int
    edges: Ints
    sets: dict[str, Ints] = field(default_factory=dict)
    paths: Ints | None = None
    branch: Ints | None = None
    names: tuple[str, ...] | None = None
    examples: Ints | None = None
    edge_file: str | None = None
    held_out: Ints | None = None


def _sorted(edges: Ints) -> Ints:
    edges = np.asarray(edges, np.int64).reshape(-1, 2)
    return edges[np.lexsort((edges[:, 1], edges[:, 0]))]


def path_star(config: PathStar) -> Graph:
    """Root 0, then arm after arm from the root outwards."""
    below = config.length - 1
    body = np.arange(config.arms * below, dtype=np.int64).reshape(config.arms, below) + 1
    arms = np.concatenate([np.zeros((config.arms, 1), np.int64), body], 1)
    edges = np.stack([arms[:, :-1].ravel(), arms[:, 1:].ravel()], 1)
    sets = {"root": np.zeros(1, np.int64), "leaves": arms[:, -1].copy(), "arms": arms}
    return Graph(config.node_count, _sorted(edges), sets, arms, np.arange(config.arms))


def tree_star(config: TreeStar) -> Graph:
    """Root 0, then level after level; children of a node stand together."""
    leaves = np.arange(config.path_count, dtype=np.int64)
    columns = [np.zeros_like(leaves)]
    first, width = 1, config.arms
    for depth in range(1, config.length):
        columns.append(first + leaves // config.branching ** (config.length - 1 - depth))
        first, width = first + width, width * config.branching
    paths = np.stack(columns, 1)
    edges = np.unique(np.stack([paths[:, :-1].ravel(), paths[:, 1:].ravel()], 1), axis=0)
    sets = {"root": np.zeros(1, np.int64), "leaves": paths[:, -1].copy(), "paths": paths}
    return Graph(config.node_count, edges, sets, paths, paths[:, 1] - 1)


def grid(config: Grid) -> Graph:
    """Node of row r and column c is r * columns + c."""
    at = np.arange(config.node_count, dtype=np.int64).reshape(config.rows, config.columns)
    right = np.stack([at[:, :-1].ravel(), at[:, 1:].ravel()], 1)
    down = np.stack([at[:-1].ravel(), at[1:].ravel()], 1)
    return Graph(config.node_count, _sorted(np.concatenate([right, down])))


def cycle(config: Cycle) -> Graph:
    """Node i is followed by node i + 1, the last by node 0."""
    at = np.arange(config.nodes, dtype=np.int64)
    return Graph(config.nodes, _sorted(np.stack([at, (at + 1) % config.nodes], 1)))


def irregular(config: Irregular) -> Graph:
    """The fixed graph of the paper, with its two parts as node sets."""
    edges = np.array([pair.split("-") for pair in _IRREGULAR.split()], np.int64)
    parts = {"part_a": np.arange(12), "part_b": np.arange(12, 16)}
    return Graph(config.node_count, _sorted(edges), parts)


def edge_list(config: EdgeList) -> Graph:
    """Nodes in the order of their names (numbers by value)."""
    names, edges = read_edge_list(config.path)
    return Graph(len(names), _sorted(edges), names=names)


def text(config: Text) -> Graph:
    """As the files say; arms are told from other paths by having no node but the root in common."""
    data = read_text_data(config)
    graph = Graph(
        len(data.names),
        data.edges,
        names=data.names,
        examples=data.examples,
        edge_file=config.edge_file,
    )
    if data.paths is None:
        return graph
    paths, below = data.paths, data.paths[:, 1:]
    sets = {"leaves": paths[:, -1].copy()}
    one_root = bool((paths[:, 0] == paths[0, 0]).all())
    if one_root:
        sets = {"root": paths[0, :1].copy()} | sets
    apart = one_root and len(np.unique(below)) == below.size and paths[0, 0] not in below
    sets["arms" if apart else "paths"] = paths
    branch = np.unique(paths[:, 1], return_inverse=True)[1]
    return replace(graph, sets=sets, paths=paths, branch=branch, held_out=data.held_out)


_BUILDERS: dict[type, Callable[..., Graph]] = {
    PathStar: path_star,
    TreeStar: tree_star,
    Grid: grid,
    Cycle: cycle,
    Irregular: irregular,
    EdgeList: edge_list,
    Text: text,
}


def build_graph(config: GraphConfig) -> Graph:
    """Return the graph of a configuration; raises ConfigError for files that cannot be used."""
    return _BUILDERS[type(config)](config)
