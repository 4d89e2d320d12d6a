"""The Triton implementation with its autograd. There are no second derivatives."""

from typing import Any

import torch
from torch import Tensor

from geomem.kernels.add_norm import fused
from geomem.kernels.add_norm.problem import Inputs


class _AddNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        y: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        y_bias: Tensor | None,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        inputs = Inputs(x, y, weight, bias, y_bias)
        total, normal = fused.forward(inputs, dtype)
        ctx.save_for_backward(total, weight)
        ctx.had = fused.Had.of(inputs)
        ctx.set_materialize_grads(False)
        return total.view_as(total) if y is None else total, normal

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError('add_norm: second derivatives need impl="reference"')
        dtotal, dnormal = grads
        total, weight = ctx.saved_tensors
        if dnormal is not None:
            return *fused.backward(total, weight, ctx.had, dtotal, dnormal), None
        if dtotal is None:
            return (None,) * 6
        dy = None if ctx.had.y is None else dtotal.to(ctx.had.y)
        return dtotal, dy, None, None, dtotal.sum(1) if ctx.had.y_bias else None, None


def call(inputs: Inputs, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Run the kernels."""
    found: tuple[Tensor, Tensor] = _AddNorm.apply(*inputs, dtype)
    return found
