"""The input of a model: sequences of one length that share their first tokens."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Dropout = Callable[[Tensor], Tensor]
"""Drops elements of [K, ...]; each call of a step draws anew."""


@dataclass(frozen=True)
class Segment:
    """B sequences of T tokens after a prefix of P tokens that all of them share.

    tokens: int64 [K, B, T]; prefix: int64 [K, P], P may be 0. The prefix is computed once, not
    once per sequence, and yields no hidden states.
    """

    tokens: Tensor
    prefix: Tensor
