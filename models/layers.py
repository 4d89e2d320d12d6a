"""Layers with a leading member axis."""

from collections.abc import Mapping
from math import pi, sqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from geomem.kernels import add_norm

GELU_SLOPE = 2 * sqrt(2 / pi)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x [K, R, I] times weight [K, I, O] plus bias [K, O], in the type of the weight."""
    x = x.to(weight.dtype)
    if bias is None:
        return torch.bmm(x, weight)
    bias = bias[:, None].to(weight.dtype)
    if torch.compiler.is_compiling():  # which adds it in the pass that reads the product next
        return torch.bmm(x, weight) + bias
    return torch.baddbmm(bias, x, weight)


def gelu(x: Tensor) -> Tensor:
    """GELU in its form with tanh (arXiv 1606.08415), of any shape."""
    if torch.compiler.is_compiling():
        # The same number: 1 + tanh(u) = 2 sigmoid(2 u). Compiled for a CPU, a tanh costs more than
        # all the rest of a GELU, and an exponential a third of it.
        return x * torch.sigmoid(x * (GELU_SLOPE + GELU_SLOPE * 0.044715 * x.square()))
    return F.gelu(x, approximate="tanh")


def pre_norm(
    x: Tensor,
    y: Tensor | None,
    params: Mapping[str, Tensor],
    at: str,
    *,
    norm: bool,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """Add y, if any, to the stream x; return it, and what a layer reads of it, in its own dtype.

    That is the stream itself, or with `norm` its norm by the weight at `at`: of the root mean
    square where there is no bias.
    """
    if norm:
        return add_norm(x, y, params[f"{at}weight"], params.get(f"{at}bias"), dtype=dtype)
    x = x if y is None else x + y
    return x, x


class _Lookup(torch.autograd.Function):
    """Rows of a table; on a CPU the gradient is summed per row without atomics or a sort."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor) -> Tensor:
        K, V, _ = table.shape
        member = torch.arange(K, device=table.device)[:, None]
        ctx.save_for_backward(index + member * V)
        ctx.shape = table.shape
        return table[member, index]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (flat,) = ctx.saved_tensors
        K, V, D = ctx.shape
        rows = torch.ops.aten.embedding_dense_backward(
            grads[0].reshape(-1, D), flat.reshape(-1), K * V, -1, False
        )
        return rows.view(K, V, D), None


def lookup(table: Tensor, index: Tensor) -> Tensor:
    """Rows of table [K, V, D] at index int64 [K, R] -> [K, R, D]."""
    rows: Tensor = _Lookup.apply(table, index)
    return rows
