"""The Triton implementation with its autograd. There are no second derivatives."""

from typing import Any

import torch
from torch import Tensor

from geomem.kernels.dropout import fused


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, keys: Tensor, rates: Tensor, site: Tensor) -> Tensor:
        keys, rates = keys.contiguous(), rates.contiguous()
        ctx.save_for_backward(keys, rates, site)
        ctx.dtype = x.dtype
        return fused.forward(x.contiguous(), keys, rates, site)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        if torch.is_grad_enabled():
            raise RuntimeError('dropout: second derivatives need impl="reference"')
        keys, rates, site = ctx.saved_tensors
        return fused.backward(grads[0], keys, rates, site, ctx.dtype), None, None, None


def call(x: Tensor, keys: Tensor, rates: Tensor, site: Tensor) -> Tensor:
    """Run the kernels."""
    found: Tensor = _Dropout.apply(x, keys, rates, site)
    return found
