"""Embeddings over training as points in space. Pure functions of arrays.

S steps · n nodes · m embedding width
"""

import base64
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geomem.analysis.arrays import Floats, Ints

DIMENSIONS = 3
LARGEST = 32_767


class Basis(NamedTuple):
    """Directions of largest spread, [m, 3], and the share of the spread along each, [3]."""

    axes: Floats
    shares: Floats


def spread_basis(embedding: Floats) -> Basis:
    """The first three principal axes of [n, m]; signs fixed; axes that do not exist are zero."""
    centred = embedding - embedding.mean(0, dtype=float)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    vectors = vectors * np.where(vectors[np.abs(vectors).argmax(0), range(len(values))] < 0, -1, 1)
    missing = max(0, DIMENSIONS - len(values))
    axes = np.pad(vectors[:, :DIMENSIONS], ((0, 0), (0, missing)))
    shares = np.pad(values[:DIMENSIONS] / max(values.sum(), 1e-300), (0, missing))
    return Basis(axes, shares)


def in_basis(history: Floats, basis: Basis) -> Floats:
    """Points [S, n, 3] of embeddings [S, n, m], each step around its own centre.

    One basis for all steps, so that what moves in the picture has moved in the embedding.
    """
    points: Floats = history @ basis.axes.astype(history.dtype)
    points -= points.mean(1, keepdims=True)
    return points


def quantised(points: Floats) -> tuple[NDArray[np.int16], float]:
    """Points as int16, and what 32 767 stands for; 0 and zeros where there is no extent."""
    largest = float(np.abs(points).max(initial=0))
    if largest == 0:
        return np.zeros(points.shape, np.int16), 0.0
    return np.round(points / largest * LARGEST).astype(np.int16), largest


def spaced(count: int, most: int) -> Ints:
    """At most `most` of 0…count-1, evenly, with the first and the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def packed(array: NDArray[Any]) -> str:
    """Little-endian bytes in base64."""
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()
