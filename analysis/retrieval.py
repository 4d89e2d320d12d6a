"""Which first hop a leaf lies nearest to, at any size: never a whole leaf x first-hop matrix.

K members · n nodes · m embedding width · P paths · A first hops · Q queries
"""

import numpy as np

from geomem.analysis.arrays import (
    PIECE,
    Array,
    Ints,
    flat_members,
    pieces,
    rounded_rows,
    to_numpy,
    unit_rows,
)
from geomem.analysis.geometry import Measure, Retrieval, as_retrieval


def first_hop_retrieval(
    embedding: Array,
    paths: Ints,
    queries: Ints | None = None,
    measure: Measure = "cosine",
    limit: int = PIECE,
) -> Retrieval:
    """Rank the first hop of its own path for leaves, among all first hops; results [..., Q].

    embedding [..., n, m]; paths [P, length] from root to leaf (arms of a path-star; in a tree-star
    several paths share a first hop); queries: rows of `paths`, [Q] or [..., Q], default all.
    Random embeddings give auc 0.5 and top1 1/A.
    """
    hops, own_hop = np.unique(paths[:, 1], return_inverse=True)
    x = flat_members(embedding)
    queries = np.arange(len(paths)) if queries is None else np.asarray(queries)
    queries = np.broadcast_to(queries.reshape(-1, queries.shape[-1]), (len(x), queries.shape[-1]))
    member = np.arange(len(x))[:, None]
    leaves, right = x[member, paths[queries, -1]], x[:, hops]
    if measure == "cosine":
        leaves, right = unit_rows(leaves), unit_rows(right)
    right = right.swapaxes(-1, -2)
    closer = np.empty(queries.shape, np.int64)
    ties = np.empty_like(closer)
    for part in pieces(queries.shape[1], len(x) * len(hops), limit):
        rows = rounded_rows(leaves[:, part] @ right)
        place = np.arange(rows.shape[1])[None]
        own = rows[member, place, own_hop[queries[:, part]]][..., None]
        closer[:, part] = to_numpy((rows > own).sum(-1))
        ties[:, part] = to_numpy((rows == own).sum(-1)) - 1
    shape = (*embedding.shape[:-2], queries.shape[1])
    return as_retrieval(closer.reshape(shape), ties.reshape(shape), len(hops) - 1)
