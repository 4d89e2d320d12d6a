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
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        total, normal = fused.forward(Inputs(x, y, weight, bias), dtype)
        ctx.save_for_backward(total, weight)
        ctx.centred, ctx.y_dtype = bias is not None, None if y is None else y.dtype
        ctx.set_materialize_grads(False)
        return total.view_as(total) if y is None else total, normal

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError('add_norm: second derivatives need impl="reference"')
        dtotal, dnormal = grads
        total, weight = ctx.saved_tensors
        if dnormal is None:
            dy = None if dtotal is None or ctx.y_dtype is None else dtotal.to(ctx.y_dtype)
            return dtotal, dy, None, None, None
        return *fused.backward(total, weight, ctx.centred, ctx.y_dtype, dtotal, dnormal), None


def call(inputs: Inputs, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Run the kernels."""
    found: tuple[Tensor, Tensor] = _AddNorm.apply(*inputs, dtype)
    return found
