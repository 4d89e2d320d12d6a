"""NumPy arrays and torch tensors alike, worked on in pieces that fit into memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = Any  # a NumPy array, or a torch tensor on any device
Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
PIECE = 1 << 24
"""Elements of the largest intermediate array: 64 MiB in float32."""


def to_numpy(x: Array) -> NDArray[Any]:
    """The values as a NumPy array."""
    values: NDArray[Any] = x.detach().cpu().numpy() if hasattr(x, "detach") else np.asarray(x)
    return values


def node_pairs(edges: Ints, n: int) -> Ints:
    """The edges, as int64 [E, 2]; ValueError for another shape, and for what is no node 0…n-1."""
    pairs = to_numpy(edges)
    if pairs.size == 0:
        return np.zeros((0, 2), np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise ValueError(f"edges have to be integers [E, 2], got {pairs.dtype} {pairs.shape}")
    if pairs.min() < 0 or pairs.max() >= n:
        wrong = pairs.min() if pairs.min() < 0 else pairs.max()
        raise ValueError(f"edges have to join nodes 0…{n - 1}, got {wrong}")
    return pairs.astype(np.int64, copy=False)


def alike(values: NDArray[Any], x: Array) -> Array:
    """NumPy values as what `x` is: an array, or a tensor on its device; floats of its precision."""
    if not hasattr(x, "detach"):
        return values.astype(x.dtype) if values.dtype.kind == "f" else values
    import torch

    tensor = torch.as_tensor(values, device=x.device)
    return tensor.to(x.dtype) if values.dtype.kind == "f" else tensor


def flat_members(x: Array) -> Array:
    """[..., n, m] -> [K, n, m], all leading axes taken together."""
    return x.reshape(-1, *x.shape[-2:])


def unit_rows(x: Array) -> Array:
    """Rows [..., m] divided by their norms; zero rows stay zero."""
    norm = ((x * x).sum(-1) ** 0.5)[..., None]
    return x / (norm + (norm == 0))


def rounded(values: Array) -> Array:
    """Rounded to 12 decimals in float64 and to 6 in float32, so that equal numbers near 1 tie."""
    return values.round(decimals=12 if str(values.dtype).endswith("float64") else 6)


def rounded_rows(values: Array) -> Array:
    """Rows [..., p] over their largest magnitude, `rounded`.

    Then numbers tie which the order of additions alone tells apart, whatever their size.
    """
    largest = highest(abs(values))[..., None]
    return rounded(values / (largest + (largest == 0)))


def highest(x: Array) -> Array:
    """The maximum over the last axis."""
    return x.amax(-1) if hasattr(x, "amax") else x.max(-1)


def pieces(count: int, each: int, limit: int = PIECE) -> Iterator[slice]:
    """Cut 0…count into slices of at most `limit` elements, `each` per index, but one at least."""
    step = max(1, limit // max(1, each))
    for first in range(0, count, step):
        yield slice(first, min(count, first + step))
