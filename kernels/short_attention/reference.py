"""Plain PyTorch: the specification of short attention."""

import torch
from torch import Tensor

from geomem.kernels.short_attention.problem import Inputs, with_prefix


def run(x: Inputs) -> Tensor:
    """Return what `geomem.kernels.short_attention` says it equals."""
    T, P = x.q.shape[2], x.prefix
    k, v = with_prefix(x)
    q, k, v = (t.transpose(2, 3) for t in (x.q * x.q.shape[-1] ** -0.5, k, v))
    later = torch.full((T, P + T), -torch.inf, dtype=q.dtype, device=q.device).triu(P + 1)
    return ((q @ k.mT + later).softmax(-1) @ v).transpose(2, 3)
