"""Scores of every node for every node, a few rows at a time.

n nodes · m embedding width · r rows · E undirected edges, 2E with both directions
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from geomem.analysis.arrays import (
    PIECE,
    Array,
    Floats,
    Ints,
    alike,
    highest,
    pieces,
    rounded_rows,
    to_numpy,
)


@dataclass(frozen=True)
class Scores:
    """S [..., n, n] = left rightᵀ with both [..., n, m]; without `right`, `left` is S itself.

    S_uv is the logit of node v after node u.
    """

    left: Array
    right: Array | None = None

    @property
    def lead(self) -> tuple[int, ...]:
        """The leading axes."""
        return tuple(self.left.shape[:-2])

    @property
    def n(self) -> int:
        """Nodes."""
        return int(self.left.shape[-2])

    def rows(self, nodes: Ints) -> Array:
        """S of some nodes, [..., r, n]."""
        left = self.left[..., nodes, :]
        return left if self.right is None else left @ self.right.swapaxes(-1, -2)


def make_scores(
    embedding: Array, weight: Array | None = None, unembedding: Array | None = None
) -> Scores:
    """S = E W Uᵀ: W [..., m, m] a trained map, by default none, and U = E by default (tied)."""
    left = embedding if weight is None else embedding @ weight
    return Scores(left, embedding if unembedding is None else unembedding)


def adjacency(edges: Ints, n: int) -> sparse.csr_array:
    """Whether two different nodes are neighbours, in either direction; bool [n, n]."""
    edges = edges[edges[:, 0] != edges[:, 1]]
    both = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    return sparse.csr_array((np.ones(len(both), bool), (both[:, 0], both[:, 1])), shape=(n, n))


def node_margins(scores: Scores, edges: Ints, limit: int = PIECE) -> Floats:
    """Highest true neighbour's score less highest non-neighbour's, [..., n]; self is neither.

    NaN for nodes without a neighbour, and for neighbours of all others.
    """
    near = adjacency(edges, scores.n)
    found = np.empty((*scores.lead, scores.n))
    for part in pieces(scores.n, int(np.prod(scores.lead)) * scores.n, limit):
        nodes = np.arange(scores.n)[part]
        rows, neighbour = scores.rows(nodes), near[part].toarray()
        other = ~neighbour
        other[np.arange(len(nodes)), nodes] = False
        best = [to_numpy(highest(rows + _unless(kind, rows))) for kind in (neighbour, other)]
        with np.errstate(invalid="ignore"):
            margin = best[0] - best[1]
        found[..., part] = np.where(np.isfinite(margin), margin, np.nan)
    return found


def edge_margin(scores: Scores, edges: Ints, limit: int = PIECE) -> Floats:
    """Mean of `node_margins` over the nodes that have one, [...] (arXiv 2510.26745)."""
    margins = node_margins(scores, edges, limit)
    known = np.isfinite(margins)
    total = np.where(known, margins, 0).sum(-1)
    mean: Floats = np.divide(
        total, known.sum(-1), out=np.full(total.shape, np.nan), where=known.any(-1)
    )
    return mean


def neighbour_ranks(scores: Scores, edges: Ints, limit: int = PIECE) -> tuple[Floats, Ints]:
    """Rank of v among the other nodes in row u, ties against it, [..., 2E], and the pairs (u, v).

    pairs: int64 [2E, 2], sorted; each edge in both directions, self-edges left out.
    """
    near = adjacency(edges, scores.n).tocoo()
    pairs = np.stack([near.row, near.col], 1).astype(np.int64)
    found = np.empty((*scores.lead, len(pairs)))
    for part in pieces(len(pairs), int(np.prod(scores.lead)) * scores.n, limit):
        u, v = pairs[part].T
        rows, at = rounded_rows(scores.rows(u)), np.arange(len(u))
        own = rows[..., at, v]
        before = (rows >= own[..., None]).sum(-1)
        found[..., part] = to_numpy(before) - to_numpy(rows[..., at, u] >= own)
    return found, pairs


def _unless(kind: NDArray[np.bool_], rows: Array) -> Array:
    return alike(np.where(kind, 0.0, -np.inf), rows)
