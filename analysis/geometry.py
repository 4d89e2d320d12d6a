"""How embeddings lie towards each other. Pure functions of arrays.

K members, or any other leading axes ... · n nodes · m embedding width · A arms · E edges

Embeddings may be NumPy arrays or torch tensors; results are NumPy. Definitions: arXiv 2510.26745.
"""

from typing import Literal, NamedTuple

import numpy as np

from geomem.analysis.arrays import (
    PIECE,
    Array,
    Floats,
    Ints,
    node_pairs,
    pieces,
    to_numpy,
    unit_rows,
)

Measure = Literal["cosine", "dot"]


class Retrieval(NamedTuple):
    """How well a leaf finds the first hop of its own arm among all first hops, [..., queries].

    top1: 1.0 if its own is the nearest; reciprocal_rank: 1 / rank of its own, ties counted against;
    auc: share of the others that lie further away than its own, ties as half.
    """

    top1: Floats
    reciprocal_rank: Floats
    auc: Floats


class PathContrast(NamedTuple):
    """Mean cosine distance of two nodes of one arm, and of two arms, root excluded, [...]."""

    within: Floats
    between: Floats


def similarities(a: Array, b: Array, measure: Measure = "cosine") -> Array:
    """Cosines or dot products of all pairs of rows, [..., p, m] and [..., q, m] -> [..., p, q]."""
    if measure == "cosine":
        a, b = unit_rows(a), unit_rows(b)
    return a @ b.swapaxes(-1, -2)


def cosine_distances(a: Array, b: Array) -> Array:
    """1 - cosine of all pairs of rows, [..., p, q]; zero rows are at distance 1 from all."""
    return 1 - similarities(a, b)


def geometric_level(
    embedding: Array, edges: Ints, measure: Measure = "cosine", limit: int = PIECE
) -> Floats:
    """Mean similarity of the two ends of an edge, [...]; embedding [..., n, m], edges [E, 2].

    Raises ValueError for edges that are none of n nodes.
    """
    edges = node_pairs(edges, embedding.shape[-2])
    x = unit_rows(embedding) if measure == "cosine" else embedding
    total = np.zeros(x.shape[:-2])
    each = int(np.prod(x.shape[:-2])) * x.shape[-1]
    for part in pieces(len(edges), each, limit):
        ends = x[..., edges[part, 0], :], x[..., edges[part, 1], :]
        total += to_numpy((ends[0] * ends[1]).sum(-1).sum(-1))
    return total / len(edges) if len(edges) else np.full(total.shape, np.nan)


def mean_similarity(embedding: Array, measure: Measure = "cosine") -> Floats:
    """Mean similarity of two different nodes, over all pairs, [...]: the level of no geometry.

    NaN of fewer than two nodes. Needs no pairs: Σ_{i≠j} x_i·x_j = |Σ x_i|² − Σ |x_i|².
    """
    x = unit_rows(embedding) if measure == "cosine" else embedding
    n = x.shape[-2]
    if n < 2:
        return np.full(x.shape[:-2], np.nan)
    together = (x.sum(-2) ** 2).sum(-1) - (x * x).sum(-1).sum(-1)
    mean: Floats = to_numpy(together) / (n * (n - 1))
    return mean


def leaf_first_hop(embedding: Array, arms: Ints) -> Array:
    """Cosine distance of leaf i and first hop j, [..., A, A]; arms [A, length].

    Own arms stand on the diagonal. `retrieval.first_hop_retrieval` ranks without the whole matrix.
    """
    return cosine_distances(embedding[..., arms[:, -1], :], embedding[..., arms[:, 1], :])


def as_retrieval(closer: Ints, ties: Ints, others: int) -> Retrieval:
    """Retrieval from how many of the `others` lie closer than one's own, and how many as close.

    NaN where there are no others.
    """
    before, known = closer + ties, 1.0 if others else np.nan
    auc: Floats = 1 - (closer + 0.5 * ties) / max(1, others)
    return Retrieval(known * (before == 0), known / (1 + before), known * auc)


def path_distances(embedding: Array, arms: Ints, rows: slice = slice(None)) -> Array:
    """Mean cosine distance between arms, [..., rows, A]; D_ii is that of pairs inside arm i.

    Roots are left out. The mean over pairs of nodes is one product of the arms' mean unit vectors,
    so that `rows` of the matrix cost no more than themselves.
    """
    nodes = unit_rows(embedding)[..., arms[:, 1:], :]
    centre = nodes.sum(-2) / nodes.shape[-2]
    distances = 1 - centre[..., rows, :] @ centre.swapaxes(-1, -2)
    at = np.arange(len(arms))[rows]
    distances[..., np.arange(len(at)), at] = _inside(nodes)[..., rows]
    return distances


def path_contrast(embedding: Array, arms: Ints) -> PathContrast:
    """Means of the diagonal and of the rest of `path_distances`, without that matrix.

    One arm has no other: `between` is NaN then, as `within` is where an arm has one node.
    """
    nodes = unit_rows(embedding)[..., arms[:, 1:], :]
    between = 1 - mean_similarity(nodes.sum(-2) / nodes.shape[-2], "dot")
    return PathContrast(to_numpy(_inside(nodes).mean(-1)), between)


def _inside(nodes: Array) -> Array:
    """Mean distance of two different nodes of an arm, [..., A]; nodes [..., A, length - 1, m].

    NaN for arms of one node beside the root.
    """
    count = nodes.shape[-2]
    together = (nodes.sum(-2) ** 2).sum(-1) - (nodes * nodes).sum(-1).sum(-1)
    pairs = count * (count - 1)
    return 1 - together / (pairs or np.nan)


def principal_components(x: Floats, count: int) -> Floats:
    """Coordinates of rows along the directions of largest spread, [n, count]; signs fixed."""
    centred = x - x.mean(0)
    u, s, vh = np.linalg.svd(centred, full_matrices=False)
    largest = np.abs(vh).argmax(1)
    signs = np.sign(vh[np.arange(len(vh)), largest])
    coordinates: Floats = (u * s * signs)[:, :count]
    return coordinates
