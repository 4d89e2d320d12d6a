"""The CPU's convolution: taps added in place, with its own backward.

With p_t the sum before the activation, x_{t-j} read from `initial` where t < j, and w_j the tap
that looks j steps back:
    p_t = bias + sum_j w_j x_{t-j}       y_t = silu(p_t)       g_t = dy_t silu'(p_t)
    dx_t = sum_j w_j g_{t+j}             dw_j = sum_t g_t x_{t-j}              dbias = sum_t g_t
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from geomem.kernels.causal_conv1d.problem import Inputs, new_gradients


def _reaches(T: int, W: int) -> Iterator[tuple[int, int, int]]:
    """(t, i, tap) for every step t that looks back to the i-th of the initial steps."""
    for t in range(min(T, W - 1)):
        for i in range(t, W - 1):
            yield t, i, i - t


def _taps(weight: Tensor) -> tuple[Tensor, ...]:
    """The taps as contiguous [K,1,C]."""
    return weight.movedim(2, 0).contiguous()[:, :, None].unbind(0)


def _convolve(inputs: Inputs) -> Tensor:
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


def forward(inputs: Inputs, silu: bool) -> Tensor:
    """Convolve all members at once."""
    p = _convolve(inputs)
    return (F.silu(p) if silu else p).to(inputs.x.dtype)


def backward(inputs: Inputs, silu: bool, dy: Tensor) -> list[Tensor]:
    """Return gradients in the order of Inputs, [0] for what is None."""
    g = dy.to(inputs.weight.dtype)
    if silu:
        g = torch.ops.aten.silu_backward(g, _convolve(inputs))
    grads = new_gradients(inputs)
    dx, dw, dbias, dinitial = grads
    x, w = inputs.x.to(g.dtype), _taps(inputs.weight)
    T, W = x.shape[2], len(w)
    dw.zero_()
    reached = g * w[-1][:, None]
    for j in range(min(T, W)):
        dw[..., -1 - j] = (g[:, :, j:] * x[:, :, : T - j]).sum((1, 2))
        if j:
            reached[:, :, :-j].addcmul_(g[:, :, j:], w[-1 - j][:, None])
    dx.copy_(reached)
    if inputs.bias is not None:
        torch.sum(g, (1, 2), out=dbias)
    if inputs.initial is not None:
        dinitial.copy_(_backward_initial(inputs.initial.to(g.dtype), g, w, dw))
    return grads


def _backward_initial(first: Tensor, g: Tensor, w: tuple[Tensor, ...], dw: Tensor) -> Tensor:
    """Return the gradient of the initial steps, and add their part to that of the weight."""
    T, W = g.shape[2], len(w)
    head = g[:, :, : W - 1]
    head = head.sum(1, keepdim=True) if first.shape[1] == 1 else head
    dinitial = torch.zeros_like(first)
    for t, i, tap in _reaches(T, W):
        dw[..., tap] += (head[:, :, t] * first[:, :, i]).sum(1)
        dinitial[:, :, i].addcmul_(head[:, :, t], w[tap])
    return dinitial
