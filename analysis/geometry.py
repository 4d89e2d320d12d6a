"""How embeddings lie towards each other. Pure functions of arrays.

n nodes · m embedding width · A arms
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geomem.analysis.sweeps import Floats


class Retrieval(NamedTuple):
    """How well a leaf finds the first hop of its own arm among all arms, per query, [queries].

    top1: 1.0 if its own is the nearest; reciprocal_rank: 1 / rank of its own, ties counted against;
    auc: share of other arms that lie further away than its own.
    """

    top1: Floats
    reciprocal_rank: Floats
    auc: Floats


def cosine_distances(a: Floats, b: Floats) -> Floats:
    """1 - cosine of all pairs of rows, [p, m] and [q, m] -> [p, q]; zero rows are at distance 1."""

    def unit(x: Floats) -> Floats:
        norm = np.linalg.norm(x, axis=1, keepdims=True)
        scaled: Floats = np.divide(x, norm, out=np.zeros_like(x), where=norm > 0)
        return scaled

    distances: Floats = 1 - unit(a) @ unit(b).T
    return distances


def leaf_first_hop(embedding: Floats, arms: NDArray[np.int64]) -> Floats:
    """Cosine distance of leaf i and first hop j, [A, A]; embedding [n, m], arms [A, length].

    Own arms stand on the diagonal (arXiv 2510.26745).
    """
    return cosine_distances(embedding[arms[:, -1]], embedding[arms[:, 1]])


def own_arm_retrieval(distances: Floats, queries: NDArray[np.int64]) -> Retrieval:
    """Rank the own arm of each query row in a leaf x first-hop matrix [A, A]."""
    rows = distances[queries]
    own = rows[np.arange(len(queries)), queries][:, None]
    others = rows.shape[1] - 1
    not_further = (rows <= own).sum(1) - 1
    closer, ties = (rows < own).sum(1), (rows == own).sum(1) - 1
    auc = 1 - (closer + 0.5 * ties) / max(1, others)
    return Retrieval((not_further == 0).astype(float), 1 / (1 + not_further), auc)


def principal_components(x: Floats, count: int) -> Floats:
    """Coordinates of rows along the directions of largest spread, [n, count]; signs fixed."""
    centred = x - x.mean(0)
    u, s, vh = np.linalg.svd(centred, full_matrices=False)
    largest = np.abs(vh).argmax(1)
    signs = np.sign(vh[np.arange(len(vh)), largest])
    coordinates: Floats = (u * s * signs)[:, :count]
    return coordinates
