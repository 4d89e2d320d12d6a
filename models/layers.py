"""Layers with a leading member axis."""

from collections.abc import Mapping
from math import pi, sqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from geomem.kernels import add_norm, bias_gelu
from geomem.kernels.choice import joins_passes
from geomem.models.segments import Dropout

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


class Product(NamedTuple):
    """x [K, R, O]; what reads it adds the bias [K, O], if there still is one."""

    x: Tensor
    bias: Tensor | None

    def whole(self) -> Tensor:
        """Return it with its bias, [K, R, O]."""
        return self.x if self.bias is None else self.x + self.bias[:, None].to(self.x.dtype)


def product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Product:
    """Return what `linear` does, or with its bias still to be added where that costs less."""
    if joins_passes(x.device.type):
        return Product(linear(x, weight, None), bias)
    return Product(linear(x, weight, bias), None)


def gelu(x: Tensor, bias: Tensor | None = None) -> Tensor:
    """GELU in its form with tanh (arXiv 1606.08415), of any shape; of a Product with its bias."""
    if bias is not None:
        return bias_gelu(x, bias)
    if torch.compiler.is_compiling():
        # The same number: 1 + tanh(u) = 2 sigmoid(2 u). Compiled for a CPU, a tanh costs more than
        # all the rest of a GELU, and an exponential a third of it.
        return x * torch.sigmoid(x * (GELU_SLOPE + GELU_SLOPE * 0.044715 * x.square()))
    return F.gelu(x, approximate="tanh")


def pre_norm(
    x: Tensor,
    y: Product | None,
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
        added, y_bias = (None, None) if y is None else y
        weight, bias = params[f"{at}weight"], params.get(f"{at}bias")
        return add_norm(x, added, weight, bias, y_bias=y_bias, dtype=dtype)
    x = x if y is None else x + y.whole()
    return x, x


def leave(
    x: Tensor, y: Product, dropout: Dropout | None, *, residual: bool
) -> tuple[Tensor, Product | None]:
    """Return the stream and what is still to be added to it, y being what a layer made of it."""
    if dropout is not None:
        y = Product(dropout(y.whole()), None)
    return (x, y) if residual else (y.whole(), None)


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
