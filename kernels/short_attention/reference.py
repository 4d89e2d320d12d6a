"""Plain PyTorch: the specification of short attention."""

import torch
from torch import Tensor


def _one_step(q: Tensor, k: Tensor, v: Tensor, prefix_k: Tensor, prefix_v: Tensor) -> Tensor:
    """One token after a prefix of one: a softmax over two scores is a sigmoid of their gap."""
    gap = (q * (k - prefix_k[:, :, None])).sum(-1, keepdim=True) * q.shape[-1] ** -0.5
    first = prefix_v[:, :, None]
    return first + torch.sigmoid(gap) * (v - first)


def _causal(T: int, P: int, device: torch.device) -> Tensor:
    """Additive mask [T, P + T]."""
    return torch.full((T, P + T), -torch.inf, device=device).triu(P + 1)


def short_attention(
    q: Tensor, k: Tensor, v: Tensor, prefix_k: Tensor | None, prefix_v: Tensor | None
) -> Tensor:
    """Reference of `geomem.kernels.short_attention`, same arguments."""
    T, P = q.shape[2], 0
    if prefix_k is not None and prefix_v is not None:
        P = prefix_k.shape[1]
        if T == 1 and P == 1:
            return _one_step(q, k, v, prefix_k, prefix_v)
        shape = (-1, q.shape[1], -1, -1, -1)
        k = torch.cat([prefix_k[:, None].expand(shape), k], 2)
        v = torch.cat([prefix_v[:, None].expand(shape), v], 2)
    elif T == 1:
        return v
    q, k, v = (t.transpose(2, 3) for t in (q * q.shape[-1] ** -0.5, k, v))
    scores = q @ k.mT + _causal(T, P, q.device)
    return (scores.softmax(-1) @ v).transpose(2, 3)
