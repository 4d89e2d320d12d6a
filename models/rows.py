"""All tokens of all segments as one axis of rows, so that a linear map runs once."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from geomem.models.segments import Segment


class _Block(NamedTuple):
    """Sequences B of T tokens from a position on; hidden states are wanted of the last L."""

    position: int
    B: int
    T: int
    L: int


class Rows:
    """Prefixes once, then the sequences, segment after segment.

    tokens: int64 [K, R]. With prefixes=False they are left out: a model whose tokens see nothing
    before them has no use for them.
    """

    def __init__(self, segments: Sequence[Segment], prefixes: bool = True) -> None:
        tokens: list[Tensor] = []
        self._blocks: list[_Block] = []
        self._prefixed: list[bool] = []
        for segment in segments:
            K, B, T = segment.tokens.shape
            P = segment.prefix.shape[1]
            self._prefixed.append(prefixes and P > 0)
            if prefixes and P:
                tokens.append(segment.prefix)
                self._blocks.append(_Block(0, 1, P, 0))
            tokens.append(segment.tokens.reshape(K, B * T))
            self._blocks.append(_Block(P, B, T, segment.wanted or T))
        self._sizes = [block.B * block.T for block in self._blocks]
        self.tokens = torch.cat(tokens, 1)

    def at_positions(self, table: Tensor) -> Tensor:
        """Return for every row that of its position in the table [K or 1, context, D].

        Copies side by side, not a lookup: the gradient is a sum then, while on a GPU that of a
        lookup goes through all rows of one position one by one.
        """
        spans = (
            table[:, None, first : first + T].expand(-1, B, T, -1).flatten(1, 2)
            for first, B, T, _ in self._blocks
        )
        return torch.cat(list(spans), 1)

    def apart(self, x: Tensor) -> list[tuple[Tensor | None, Tensor]]:
        """View x [K, R, ...] as each segment's prefix [K, 1, P, ...], if any, and [K, B, T, ...].

        By one split, whose gradient is put together in one pass; that of slices is a sum of as many
        tensors of zeros.
        """
        parts = iter(self._split(x))
        return [(next(parts) if prefixed else None, next(parts)) for prefixed in self._prefixed]

    def _split(self, x: Tensor) -> list[Tensor]:
        parts = x.split(self._sizes, 1)
        return [
            part.unflatten(1, (block.B, block.T))
            for part, block in zip(parts, self._blocks, strict=True)
        ]

    def wanted(self, x: Tensor) -> Tensor:
        """Return of the rows in x [K, R, ...] those whose hidden states are wanted, [K, W, ...]."""
        if all(block.L == block.T for block in self._blocks):
            return x
        kept = [
            (part if block.L == block.T else part[:, :, -block.L :]).flatten(1, 2)
            for part, block in zip(self._split(x), self._blocks, strict=True)
            if block.L
        ]
        return torch.cat(kept, 1) if len(kept) > 1 else kept[0]
