"""Attention on a CPU: the same as the reference with several sequences to a matrix product.

A product of two matrices of 6 x 16 costs a library more to start than to compute. Some sequences
side by side, with a mask between them, are up to twice as fast; larger tiles lose it again.
"""

from functools import lru_cache

import torch
from torch import Tensor

from geomem.kernels.short_attention import reference
from geomem.kernels.short_attention.problem import Inputs, with_prefix

ROWS = 24  # of a tile, at most


def run(x: Inputs) -> Tensor:
    """See `geomem.kernels.short_attention`."""
    (B, T), P = x.q.shape[1:3], x.prefix
    if T == 1 and P == 1:
        return _one_after_one(x)
    per = next(n for n in range(max(1, ROWS // T), 0, -1) if B % n == 0)
    if per == 1 or x.q.device.type != "cpu":
        return reference.run(x)
    q, k, v = (t.reshape(t.shape[0], B // per, per * T, *t.shape[3:]) for t in x[:3])
    k, v = with_prefix(Inputs(q, k, v, x.prefix_k, x.prefix_v))
    q, k, v = (t.transpose(2, 3) for t in (q * q.shape[-1] ** -0.5, k, v))
    scores = q @ k.mT + _between(per, T, P, q.dtype)
    return (scores.softmax(-1) @ v).transpose(2, 3).reshape(x.q.shape)


def _one_after_one(x: Inputs) -> Tensor:
    """One token after a prefix of one: a softmax over two scores is a sigmoid of their gap."""
    assert x.prefix_k is not None
    assert x.prefix_v is not None
    gap = x.q * (x.k - x.prefix_k[:, :, None]) * x.q.shape[-1] ** -0.5
    first = x.prefix_v[:, :, None]
    return first + torch.sigmoid(gap.sum(-1, keepdim=True)) * (x.v - first)


def _between(per: int, T: int, P: int, dtype: torch.dtype) -> Tensor:
    """Additive mask [per T, P + per T] that keeps sequences apart, and what comes later away.

    A compiler takes it as it is: worked out again for every score, it costs more than a softmax.
    """
    return _mask(per, T, P, dtype)


# What torch.compiler.assume_constant_result does, which would load the compiler and Triton here.
_between._dynamo_marked_constant = True  # type: ignore[attr-defined]


@lru_cache(maxsize=64)
def _mask(per: int, T: int, P: int, dtype: torch.dtype) -> Tensor:
    key = torch.arange(-P, per * T, device="cpu")
    query = key[P:, None]
    seen = (key < 0) | ((key <= query) & (key // T == query // T))
    return torch.zeros(seen.shape, dtype=dtype, device="cpu").masked_fill_(~seen, -torch.inf)
