"""What every implementation takes and returns. K members, N rows, V tokens, D width, M entries."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor


class Problem(NamedTuple):
    """One call: hard targets (row and weight are None, M = N) or a list of weighted ones.

    x: [K, N, D]; embedding: [K, V, D]; row, token: int64 [K, M]; weight: [K, M];
    row_weights: [K, N] or None; vocab_sizes: int64 [K] or None; hits_only: see `metrics` of the
    public function, "hits"; what is cheap to count may be counted then, too.
    """

    x: Tensor
    embedding: Tensor
    row: Tensor | None
    token: Tensor
    weight: Tensor | None
    row_weights: Tensor | None
    vocab_sizes: Tensor | None
    metrics: bool
    hits_only: bool
    want_dx: bool
    want_de: bool


class Outputs(NamedTuple):
    """The tensors of LinearCrossEntropy and the gradients of the summed losses.

    loss: [K]; row_loss, lse: [K, N] in the accumulating dtype; argmax, rank, ties: int64 [K, N];
    dx: as x, de: as the embedding but in the accumulating dtype; [0] if not wanted.
    """

    loss: Tensor
    row_loss: Tensor
    lse: Tensor
    argmax: Tensor
    rank: Tensor
    ties: Tensor
    dx: Tensor
    de: Tensor


def acc_dtype(dtype: torch.dtype) -> torch.dtype:
    """Sums of doubles are taken in double, all others in float."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def empty_outputs(p: Problem) -> Outputs:
    """Allocate the results of a call."""
    (K, N, _), acc = p.x.shape, acc_dtype(p.x.dtype)
    loss, row_loss, lse = (p.x.new_empty(s, dtype=acc) for s in ((K,), (K, N), (K, N)))
    argmax, rank, ties = (p.x.new_empty((K, N), dtype=torch.int64) for _ in range(3))
    dx = p.x.new_empty(p.x.shape if p.want_dx else (0,))
    de = p.x.new_empty(p.embedding.shape if p.want_de else (0,), dtype=acc)
    return Outputs(loss, row_loss, lse, argmax, rank, ties, dx, de)


def total_weight(p: Problem) -> Tensor:
    """Sum of the weights of a member's entries, [K], at least the smallest normal number."""
    acc = acc_dtype(p.x.dtype)
    weight = (p.token >= 0).to(acc) if p.weight is None else p.weight.to(acc)
    if p.row is not None:
        weight = torch.where(p.row >= 0, weight, 0)
    if p.row_weights is not None:
        rows = p.row_weights.to(acc)
        weight = weight * (rows if p.row is None else rows.gather(1, p.row.clamp(min=0)))
    return weight.sum(1).clamp_(min=torch.finfo(torch.float32).tiny)


def list_strides(p: Problem) -> tuple[int, int, int, int, int]:
    """Member strides of row, token, weight and row_weights, and the row stride of the last."""
    row, weight = (0 if t is None else t.stride(0) for t in (p.row, p.weight))
    k, n = (0, 0) if p.row_weights is None else p.row_weights.stride()
    return row, p.token.stride(0), weight, k, n


T = TypeVar("T", bound=tuple[Tensor | bool | None, ...])


def of_members(tensors: T, members: slice | Tensor) -> T:
    """Return the same named tuple of a slice of the members, as views, or of chosen ones."""
    make: Callable[..., T] = type(tensors)
    return make(*(t[members] if isinstance(t, Tensor) else t for t in tensors))
