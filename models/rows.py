"""All tokens of all segments as one axis of rows, so that a linear map runs once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from geomem.models.segments import Segment

Place = tuple[int, int, int]
"""First row, sequences B and tokens T of a block of rows."""


class Rows:
    """Prefixes once, then the sequences, segment after segment.

    tokens: int64 [K, R]; places, prefix_places: where each segment's tokens and its prefix stand.
    With prefixes=False they are left out: a model whose tokens see nothing before them has no use
    for them. wanted_places: where each segment's wanted tokens stand among
    the rows that `wanted` leaves.
    """

    def __init__(self, segments: Sequence[Segment], prefixes: bool = True) -> None:
        tokens: list[Tensor] = []
        self._spans: list[tuple[int, int, int]] = []  # first position, sequences B, tokens T
        self.prefix_places: list[Place | None] = []
        self.places: list[Place] = []
        self.wanted_places: list[Place] = []
        start = last = 0
        for segment in segments:
            K, B, T = segment.tokens.shape
            P = segment.prefix.shape[1]
            self.prefix_places.append((start, 1, P) if prefixes and P else None)
            if prefixes and P:
                tokens.append(segment.prefix)
                self._spans.append((0, 1, P))
                start += P
            tokens.append(segment.tokens.reshape(K, B * T))
            self._spans.append((P, B, T))
            self.places.append((start, B, T))
            start += B * T
            L = segment.wanted or T
            self.wanted_places.append((last, B, L))
            last += B * L
        self._count, self._wanted_count = start, last
        self.tokens = torch.cat(tokens, 1)

    def at_positions(self, table: Tensor) -> Tensor:
        """Return for every row that of its position in the table [K or 1, context, D].

        Copies side by side, not a lookup: the gradient is a sum then, while on a GPU that of a
        lookup goes through all rows of one position one by one.
        """
        spans = (
            table[:, None, first : first + T].expand(-1, B, T, -1).flatten(1, 2)
            for first, B, T in self._spans
        )
        return torch.cat(list(spans), 1)

    def blocks(self) -> list[Place]:
        """Return every place in the order of the rows."""
        pairs = zip(self.prefix_places, self.places, strict=True)
        return [place for pair in pairs for place in pair if place is not None]

    def wanted(self, x: Tensor) -> Tensor:
        """Return of the rows in x [K, R, ...] those whose hidden states are wanted, [K, W, ...]."""
        if self._wanted_count == self._count:
            return x
        blocks = self.blocks()
        parts = dict(zip(blocks, x.split([B * T for _, B, T in blocks], 1), strict=True))
        kept = []
        for place, (_, B, L) in zip(self.places, self.wanted_places, strict=True):
            part = parts[place]
            if place[2] != L:
                part = part.unflatten(1, (B, place[2]))[:, :, -L:].flatten(1, 2)
            kept.append(part)
        return torch.cat(kept, 1) if len(kept) > 1 else kept[0]


def at_place(x: Tensor, place: Place) -> Tensor:
    """View the rows of a place in x [K, R, ...] as [K, B, T, ...]."""
    start, B, T = place
    part: Tensor = x[:, start : start + B * T].unflatten(1, (B, T))
    return part
