"""Whether distances of embeddings follow distances in the graph.

n nodes · m embedding width · s sources · t targets
"""

from dataclasses import dataclass

import numpy as np

from geomem.analysis.arrays import (
    PIECE,
    Array,
    Floats,
    Ints,
    flat_members,
    node_pairs,
    pieces,
    rounded,
    to_numpy,
)
from geomem.analysis.geometry import cosine_distances

PAIRS = 1 << 21
"""Pairs that are looked at, at most: those of 2 048 nodes."""


@dataclass(frozen=True)
class HopTable:
    """Hop distances from sources [s] to targets [t]; NaN marks the pairs that do not count."""

    sources: Ints
    targets: Ints
    hops: Floats


def hop_distances(edges: Ints, n: int, sources: Ints | None = None) -> Floats:
    """Fewest undirected edges from sources [s] (default: all) to each node, [s, n]; inf if none.

    Raises ValueError for edges that are none of n nodes.
    """
    from scipy.sparse import csgraph, csr_array

    edges = node_pairs(edges, n)
    ones = np.ones(len(edges))
    graph = csr_array((ones, (edges[:, 0], edges[:, 1])), shape=(n, n))
    found: Floats = csgraph.shortest_path(
        graph, method="D", directed=False, unweighted=True, indices=sources
    )
    return found


def hop_table(
    edges: Ints, n: int, nodes: Ints | None = None, limit: int = PAIRS, seed: int = 0
) -> HopTable:
    """Hop distances of the pairs of different nodes, of a node set or of all, each pair once.

    Of more pairs than `limit`: as many as that, from nodes drawn with `seed` to all of them. Pairs
    in different components have no hop distance and do not count.
    """
    nodes = np.arange(n) if nodes is None else np.unique(nodes)
    chosen = np.arange(len(nodes))
    if len(nodes) * (len(nodes) - 1) // 2 > limit:
        sources = max(1, limit // len(nodes))
        chosen = np.sort(np.random.default_rng(seed).choice(len(nodes), sources, replace=False))
    hops = hop_distances(edges, n, nodes[chosen])[:, nodes]
    place = np.full(len(nodes), len(nodes))
    place[chosen] = (
        chosen  # a pair of two sources counts at the first of them, and none with itself
    )
    counts = np.isfinite(hops) & (place[None] > chosen[:, None])
    return HopTable(nodes[chosen], nodes, np.where(counts, hops, np.nan))


def hop_correlation(
    embedding: Array, table: HopTable, least: int = 1, limit: int = PIECE
) -> Floats:
    """Spearman correlation of cosine distance with hop distance, [...]; embedding [..., n, m].

    least: count only pairs at least so many hops apart; 2 leaves out those that were trained on.
    NaN if all hop distances are equal; 0 if all cosine distances are, for then they say nothing.
    Distances are rounded to 6 decimals (12 in float64), so that equal ones tie.
    """
    counts = table.hops >= least  # False for NaN
    apart = table.hops[counts]
    x = flat_members(embedding)
    found = np.full(len(x), np.nan)
    if len(np.unique(apart)) > 1:
        hops = _standard_ranks(apart[None])[0]
        for part in pieces(len(x), table.hops.size, limit):
            distances = cosine_distances(x[part][:, table.sources], x[part][:, table.targets])
            values = to_numpy(distances)[:, counts]
            found[part] = _standard_ranks(rounded(values)) @ hops
    return found.reshape(embedding.shape[:-2])


def _standard_ranks(values: Floats) -> Floats:
    """Ranks of each row, ties at their mean, centred and of norm 1 (0 where all tie), float64."""
    ranks = _ranks(values)
    ranks -= ranks.mean(-1, keepdims=True)
    norm = np.linalg.norm(ranks, axis=-1, keepdims=True)
    standard: Floats = ranks / np.where(norm > 0, norm, 1)
    return standard


def _ranks(values: Floats) -> Floats:
    """Ranks of each row from 0, ties at their mean; values [r, p] -> [r, p]."""
    order = values.argsort(-1)
    ordered = np.take_along_axis(values, order, -1)
    new = np.ones(ordered.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    # Rows follow each other in the flat order, and each starts a new group of ties.
    starts = np.flatnonzero(new)
    lengths = np.diff(starts, append=new.size)
    column = starts % max(1, values.shape[1])
    means = np.repeat(column + (lengths - 1) / 2, lengths).reshape(values.shape)
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, means, -1)
    return ranks
