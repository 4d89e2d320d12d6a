"""Which memory holds the edges: a trained matrix, or the arrangement of the embeddings.

n nodes · m embedding width · E embedding [..., n, m], any leading axes: members, or members and
points of a training history · W [..., m, m]. Definitions: arXiv 2510.26745.
"""

import math
from typing import NamedTuple

import numpy as np

from geomem.analysis.arrays import Array, Floats, Ints, to_numpy
from geomem.analysis.scores import edge_margin, make_scores


class MemoryScores(NamedTuple):
    """Edge margins [...] of three score matrices; NaN where one has no meaning.

    original: E W Uᵀ, as the model scores; associative memory has nothing else.
    skewed: E W' Eᵀ, what is left of W along E's own axes (`skewed_weight`), of tied embeddings.
    geometric: E Eᵀ, the embeddings alone.
    """

    original: Floats
    skewed: Floats
    geometric: Floats


class Succinctness(NamedTuple):
    """Bits, and the norm that unit margins cost; the geometric norm is a lower bound."""

    associative_bits: float
    associative_norm: float
    geometric_bits: float
    geometric_norm: float


def skewed_weight(embedding: Array, weight: Array) -> Floats:
    """W' = Q diag(Qᵀ W Q) Qᵀ with E = U Σ Qᵀ: W without its parts between E's singular axes."""
    x, W = (to_numpy(a).astype(np.float64, copy=False) for a in (embedding, weight))
    Q = np.linalg.svd(x, full_matrices=False)[2].swapaxes(-1, -2)
    diagonal = (Q * (W @ Q)).sum(-2)
    skewed: Floats = (Q * diagonal[..., None, :]) @ Q.swapaxes(-1, -2)
    return skewed


def memory_scores(
    embedding: Array, edges: Ints, weight: Array | None = None, unembedding: Array | None = None
) -> MemoryScores:
    """Edge margins at one point of training or, with more leading axes, at each.

    weight: the one trained map, [..., m, m] or [m, m], in a model that has no other; without it,
    the original is E Uᵀ, the scores of a model without layers, and for tied embeddings nothing but
    the geometric. A history of
    embeddings [K, points, n, m] goes with a history of weights, or with weight[:, None].
    """
    geometric = edge_margin(make_scores(embedding), edges)
    if weight is None and unembedding is None:
        return MemoryScores(geometric, geometric, geometric)
    original = edge_margin(make_scores(embedding, weight, unembedding), edges)
    if weight is None or unembedding is not None:
        return MemoryScores(original, np.full_like(original, np.nan), geometric)
    x = to_numpy(embedding)
    skewed = edge_margin(make_scores(x, skewed_weight(x, weight)), edges)
    return MemoryScores(original, skewed, geometric)


def succinctness(
    edges: int,
    nodes: int,
    width: int,
    cells: int,
    both_directions: bool = True,
    tied: bool = True,
) -> Succinctness:
    """Propositions 2 and 3. Associative: |E| log₂|V| bits, norm √|E|; twice the bits and
    √2 the norm for both directions.

    Geometric: |V| m log₂Δ bits, norm at least √|V|, with Δ = `cells` per dimension; twice the bits,
    √2 the norm if untied.
    """
    stored, tables = (2 if both_directions else 1), (1 if tied else 2)
    return Succinctness(
        stored * edges * math.log2(nodes),
        math.sqrt(stored * edges),
        tables * nodes * width * math.log2(cells),
        math.sqrt(tables * nodes),
    )
