"""Rows of a stack as sequences: some of one length side by side, after a prefix they share."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor


class Block(NamedTuple):
    """P rows of a prefix, 0 for none, then B sequences of T rows; each sequence follows it."""

    P: int
    B: int
    T: int


def rows_of(blocks: Sequence[Block]) -> int:
    """Return the rows of all blocks."""
    return sum(P + B * T for P, B, T in blocks)


def apart(x: Tensor, blocks: Sequence[Block]) -> list[tuple[Tensor | None, Tensor]]:
    """View x [K, R, ...] as each block's prefix [K, 1, P, ...], if any, and [K, B, T, ...].

    By one split, whose gradient is put together in one pass; that of slices is a sum of as many
    tensors of zeros.
    """
    sizes = [size for P, B, T in blocks for size in (P, B * T) if size]
    parts = iter(x.split(sizes, 1))
    return [
        (next(parts)[:, None] if P else None, next(parts).unflatten(1, (B, T)))
        for P, B, T in blocks
    ]
