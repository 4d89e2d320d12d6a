"""Plain PyTorch: the specification of the short causal convolution."""

import torch
from torch import Tensor
from torch.nn import functional as F

from geomem.kernels.causal_conv1d.problem import Inputs


def causal_conv1d(inputs: Inputs, silu: bool) -> Tensor:
    """Return what `geomem.kernels.causal_conv1d` says it equals."""
    x, weight, bias, initial = inputs
    (K, B, T, C), W = x.shape, weight.shape[2]
    before = x.new_zeros(1) if initial is None else initial
    steps = torch.cat([before.expand(K, B, W - 1, C), x], 2).to(weight.dtype)
    taps = [steps[:, :, i : i + T] * weight[:, None, None, :, i] for i in range(W)]
    y = torch.stack(taps).sum(0)
    if bias is not None:
        y = y + bias[:, None, None]
    return (F.silu(y) if silu else y).to(x.dtype)
