"""The CPU's convolution: taps added in place, with its own backward.

With p_t the sum before the activation, x_{t-j} read from `initial` where t < j, and w_j the tap
that looks j steps back:
    p_t = bias + sum_j w_j x_{t-j}       y_t = silu(p_t)       g_t = dy_t silu'(p_t)
    dx_t = sum_j w_j g_{t+j}             dw_j = sum_t g_t x_{t-j}              dbias = sum_t g_t
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class _Inputs(NamedTuple):
    x: Tensor
    weight: Tensor
    bias: Tensor | None
    initial: Tensor | None


def _reaches(T: int, W: int) -> Iterator[tuple[int, int, int]]:
    """(t, i, tap) for every step t that looks back to the i-th of the initial steps."""
    for t in range(min(T, W - 1)):
        for i in range(t, W - 1):
            yield t, i, i - t


def _taps(weight: Tensor) -> tuple[Tensor, ...]:
    """The taps as contiguous [K,1,C]."""
    return weight.movedim(2, 0).contiguous()[:, :, None].unbind(0)


def _convolve(inputs: _Inputs) -> Tensor:
    """p of all steps."""
    x, w = inputs.x.to(inputs.weight.dtype), _taps(inputs.weight)
    T, W = x.shape[2], len(w)
    p = x * w[-1][:, None]
    for j in range(1, min(T, W)):
        p[:, :, j:].addcmul_(x[:, :, :-j], w[-1 - j][:, None])
    if inputs.initial is not None:
        first = inputs.initial.to(x.dtype)
        for t, i, tap in _reaches(T, W):
            p[:, :, t].addcmul_(first[:, :, i], w[tap])
    if inputs.bias is not None:
        p += inputs.bias[:, None, None]
    return p


def _backward(inputs: _Inputs, g: Tensor) -> _Inputs:
    x, w = inputs.x.to(g.dtype), _taps(inputs.weight)
    T, W = x.shape[2], len(w)
    dx, dw, dinitial = g * w[-1][:, None], torch.zeros_like(inputs.weight), None
    for j in range(min(T, W)):
        dw[..., -1 - j] = (g[:, :, j:] * x[:, :, : T - j]).sum((1, 2))
        if j:
            dx[:, :, :-j].addcmul_(g[:, :, j:], w[-1 - j][:, None])
    if inputs.initial is not None:
        first = inputs.initial.to(g.dtype)
        head = g[:, :, : W - 1]
        head = head.sum(1, keepdim=True) if first.shape[1] == 1 else head
        dinitial = torch.zeros_like(first)
        for t, i, tap in _reaches(T, W):
            dw[..., tap] += (head[:, :, t] * first[:, :, i]).sum(1)
            dinitial[:, :, i].addcmul_(head[:, :, t], w[tap])
        dinitial = dinitial.to(inputs.initial.dtype)
    return _Inputs(dx.to(inputs.x.dtype), dw, g.sum((1, 2)), dinitial)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, silu: bool, *tensors: Tensor | None) -> Tensor:
        inputs = _Inputs(*tensors)  # type: ignore[arg-type]
        ctx.save_for_backward(*tensors)
        ctx.silu = silu
        p = _convolve(inputs)
        return (F.silu(p) if silu else p).to(inputs.x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        inputs = _Inputs(*ctx.saved_tensors)
        g = dy.to(inputs.weight.dtype)
        if ctx.silu:
            g = torch.ops.aten.silu_backward(g, _convolve(inputs))
        grads = _backward(inputs, g)
        return None, *(None if t is None else d for t, d in zip(inputs, grads, strict=True))


def causal_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    initial: Tensor | None,
    activation: str | None,
) -> Tensor:
    """`geomem.kernels.causal_conv1d` for a CPU, same arguments."""
    y: Tensor = _Convolution.apply(activation == "silu", x, weight, bias, initial)
    return y
