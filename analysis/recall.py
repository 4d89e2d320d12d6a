"""Whether the edges can be read off, and what the runs of a configuration come to.

n nodes · E edges · s seeds
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from geomem.analysis.arrays import PIECE, Floats, Ints
from geomem.analysis.scores import Scores, neighbour_ranks


class Recovery(NamedTuple):
    """Top-k edge recovery with k = deg(u), [...].

    nodes: share of nodes u whose neighbours are the deg(u) highest-scoring other nodes, no tie
    allowed; edges: share of neighbours (u, v) with v among the deg(u) highest. A run's own
    edge_recovery has all tokens for rivals, and for neighbours those of its edge examples.
    """

    nodes: Floats
    edges: Floats


class Interval(NamedTuple):
    """A value between two bounds."""

    low: float
    middle: float
    high: float


def edge_recovery(scores: Scores, edges: Ints, limit: int = PIECE) -> Recovery:
    """Recovery of the edges [E, 2] from scores of all nodes; nodes without an edge do not count."""
    ranks, pairs = neighbour_ranks(scores, edges, limit)
    degree = np.bincount(pairs[:, 0], minlength=scores.n)
    recovered = ranks <= degree[pairs[:, 0]]
    # The pairs are sorted by u, so each node's neighbours stand together.
    starts = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))
    whole = np.logical_and.reduceat(recovered, starts, axis=-1)
    return Recovery(whole.mean(-1), recovered.mean(-1))


def bootstrap(
    values: Sequence[float] | Floats,
    confidence: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of the mean over seeds: the seeds are drawn again, `resamples` times.

    The draw is fixed by `seed`. With few seeds it is too narrow, by about a tenth at 8 and a
    quarter at 4; one seed has no interval (NaN).
    """
    x = np.asarray(values, np.float64)
    if len(x) < 2:
        return Interval(math.nan, float(x.mean()) if len(x) else math.nan, math.nan)
    drawn = x[np.random.default_rng(seed).integers(len(x), size=(resamples, len(x)))].mean(1)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(x.mean()), float(high))
