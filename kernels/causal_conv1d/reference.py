"""Plain PyTorch: the specification of the short causal convolution."""

import torch
from torch import Tensor
from torch.nn import functional as F


def causal_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    initial: Tensor | None,
    activation: str | None,
) -> Tensor:
    """Reference of `geomem.kernels.causal_conv1d`, same arguments."""
    (K, B, T, C), W = x.shape, weight.shape[2]
    before = x.new_zeros(1) if initial is None else initial
    steps = torch.cat([before.expand(K, B, W - 1, C), x], 2).to(weight.dtype)
    taps = [steps[:, :, i : i + T] * weight[:, None, None, :, i] for i in range(W)]
    y = torch.stack(taps).sum(0)
    if bias is not None:
        y = y + bias[:, None, None]
    return (F.silu(y) if activation == "silu" else y).to(x.dtype)
