"""The Triton implementation: launches the kernels and adds up their partial results.

K members · B sequences · T positions · C channels · W width of the filter
"""

from math import ceil
from typing import Any

import torch
from torch import Tensor

from geomem.kernels.causal_conv1d import configs
from geomem.kernels.causal_conv1d.kernels import backward_kernel, forward_kernel
from geomem.kernels.causal_conv1d.problem import Inputs
from geomem.kernels.slices import slices_of


def forward(inputs: Inputs, silu: bool) -> Tensor:
    """Convolve on the device of x, without waiting for it."""
    inputs = _laid_out(inputs)
    y = inputs.x.new_empty(inputs.x.shape)
    with torch.cuda.device_of(y):
        grid, arguments, _ = _arguments(inputs, configs.FORWARD_PROGRAMS)
        forward_kernel[grid](**arguments, y=y, silu=silu)
    return y


def backward(inputs: Inputs, silu: bool, dy: Tensor) -> list[Tensor]:
    """Return gradients in the order of Inputs, [0] for what is None."""
    inputs, dy = _laid_out(inputs), _inner(dy)
    K, W, C = inputs.weight.shape
    bias, initial, new = inputs.bias, inputs.initial, inputs.weight.new_empty
    shared = initial is not None and initial.shape[1] == 1
    with torch.cuda.device_of(dy):
        grid, arguments, slices = _arguments(inputs, configs.BACKWARD_PROGRAMS)
        dx, dweight = inputs.x.new_empty(inputs.x.shape), new(K, slices, W, C)
        dbias = None if bias is None else new(K, slices, C)
        dinitial = None if initial is None else inputs.x.new_empty(initial.shape)
        sums = new(K, slices, W - 1, C) if shared else dinitial
        backward_kernel[grid](
            **arguments, dy=dy, dx=dx, dweight=dweight, dbias=dbias, dinitial=sums,
            dy_k=dy.stride(0), dy_b=dy.stride(1), dy_t=dy.stride(2),
            silu=silu, shared=shared, whole=arguments["tiles"] == 1,
        )  # fmt: skip
    if shared and sums is not None:
        dinitial = sums.sum(1, keepdim=True).to(dx.dtype)
    return [
        dx,
        dweight.sum(1).mT,
        new(0) if dbias is None else dbias.sum(1),
        dx.new_empty(0) if dinitial is None else dinitial,
    ]


def _arguments(inputs: Inputs, programs: int) -> tuple[tuple[int], dict[str, Any], int]:
    """Grid, the arguments that both kernels share, and the number of slices."""
    x, weight, bias, initial = inputs
    (K, B, T, C), W = x.shape, weight.shape[1]
    tile, channels = configs.tile(T), configs.channels(C)
    tiles, blocks = ceil(T / tile), ceil(C / channels)
    slices = slices_of(B * tiles, K * blocks, programs)
    initial_strides = (0, 0)
    if initial is not None:
        initial_strides = initial.stride(0), 0 if initial.shape[1] == 1 else initial.stride(1)
    arguments = {
        **{"x": x, "weight": weight, "bias": bias, "initial": initial},
        **{"B": B, "T": T, "C": C, "tiles": tiles},
        **{"slices": slices.number, "per_program": slices.rows},
        **dict(zip(("x_k", "x_b", "x_t"), x.stride(), strict=False)),
        **dict(zip(("initial_k", "initial_b"), initial_strides, strict=True)),
        **{"W": W, "L": tile, "BC": channels, "num_warps": 1},
    }
    return (K * blocks * slices.number,), arguments, slices.number


def _laid_out(inputs: Inputs) -> Inputs:
    """Channels contiguous; the weight as [K,W,C], the steps of `initial` in one piece."""
    x, weight, bias, initial = inputs
    bias = None if bias is None else bias.contiguous()
    if initial is not None and not initial[0, 0].is_contiguous():
        initial = initial.contiguous()
    return Inputs(_inner(x), weight.mT.contiguous(), bias, initial)


def _inner(t: Tensor) -> Tensor:
    return t if t.stride(3) == 1 else t.contiguous()
