"""The input of a model: sequences of one length that share their first tokens."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Dropout = Callable[[Tensor], Tensor]
"""Drops elements of [K, ...]; each call of a step draws anew."""


@dataclass(frozen=True)
class Segment:
    """B sequences of T tokens after a prefix of P tokens that all of them share.

    tokens: int64 [K, B, T]; prefix: int64 [K, P], P may be 0. The prefix is computed once, not
    once per sequence, and yields no hidden states. wanted: of how many last tokens the hidden
    states are wanted, 0 for all; a model may leave out the others.
    """

    tokens: Tensor
    prefix: Tensor
    wanted: int = 0


@dataclass(frozen=True, kw_only=True)
class Pairs(Segment):
    """Every pair of a first and a second token: first int64 [K, A], second int64 [K, C].

    Sequence c A + a is `first[a] second[c]`. A model that knows of pairs computes what depends on
    one token once per token; any other reads `tokens` [K, C A, 2].
    """

    first: Tensor
    second: Tensor


def pairs(first: Tensor, second: Tensor) -> Pairs:
    """Return the pairs; of the second token alone is the hidden state wanted."""
    (K, A), C = first.shape, second.shape[1]
    columns = first[:, None].expand(K, C, A), second[:, :, None].expand(K, C, A)
    tokens = torch.stack(columns, 3).flatten(1, 2)
    return Pairs(tokens, first[:, :0], 1, first=first, second=second)
