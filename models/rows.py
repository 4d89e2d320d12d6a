"""All tokens of all segments as one axis of rows, so that a linear map runs once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from geomem.kernels.blocks import Block, apart
from geomem.models.segments import Segment


class Rows:
    """Prefixes once, then the sequences, segment after segment: a block of each segment.

    tokens: int64 [K, R]. With prefixes=False they are left out: a model whose tokens see nothing
    before them has no use for them.
    """

    def __init__(self, segments: Sequence[Segment], prefixes: bool = True) -> None:
        tokens: list[Tensor] = []
        self.blocks: list[Block] = []
        self._positions: list[int] = []  # of the first token after the prefix
        self._wanted: list[int] = []  # how many last tokens of a sequence
        for segment in segments:
            _, B, T = segment.tokens.shape
            P = segment.prefix.shape[1]
            tokens += [segment.prefix] if prefixes and P else []
            tokens.append(segment.tokens.flatten(1))
            self.blocks.append(Block(P if prefixes else 0, B, T))
            self._positions.append(P)
            self._wanted.append(segment.wanted or T)
        self.tokens = torch.cat(tokens, 1)

    def at_positions(self, table: Tensor) -> Tensor:
        """Return for every row that of its position in the table [K or 1, context, D].

        Copies side by side, not a lookup: the gradient is a sum then, while on a GPU that of a
        lookup goes through all rows of one position one by one.
        """
        spans: list[Tensor] = []
        for (P, B, T), first in zip(self.blocks, self._positions, strict=True):
            spans += [table[:, :P]] if P else []
            span = table[:, None, first : first + T]
            spans.append(span.expand(-1, B, -1, -1).flatten(1, 2))
        return torch.cat(spans, 1)

    def apart(self, x: Tensor) -> list[tuple[Tensor | None, Tensor]]:
        """View x as each segment's prefix [K, 1, P, ...], if any, and its tokens [K, B, T, ...]."""
        return apart(x, self.blocks)

    def wanted(self, x: Tensor) -> Tensor:
        """Return of the rows in x [K, R, ...] those whose hidden states are wanted, [K, W, ...]."""
        if all(P == 0 and L == T for (P, _, T), L in zip(self.blocks, self._wanted, strict=True)):
            return x
        kept = [
            (tokens if tokens.shape[2] == L else tokens[:, :, -L:]).flatten(1, 2)
            for (_, tokens), L in zip(self.apart(x), self._wanted, strict=True)
        ]
        return torch.cat(kept, 1) if len(kept) > 1 else kept[0]
