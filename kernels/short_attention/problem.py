"""What every implementation takes.

K members · B sequences · T positions · P positions of the prefix · H heads · Dh width of a head
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Inputs(NamedTuple):
    """q, k, v: [K,B,T,H,Dh]; prefix_k, prefix_v: [K,P,H,Dh] or None. Or their gradients."""

    q: Tensor
    k: Tensor
    v: Tensor
    prefix_k: Tensor | None
    prefix_v: Tensor | None

    @property
    def prefix(self) -> int:
        """P."""
        return 0 if self.prefix_k is None else self.prefix_k.shape[1]


def with_prefix(x: Inputs) -> tuple[Tensor, Tensor]:
    """Return keys and values [K,B,P+T,H,Dh], the prefix in front of every sequence."""
    if x.prefix_k is None or x.prefix_v is None:
        return x.k, x.v
    shape = (-1, x.k.shape[1], -1, -1, -1)
    pairs = ((x.prefix_k, x.k), (x.prefix_v, x.v))
    k, v = (torch.cat([prefix[:, None].expand(shape), t], 2) for prefix, t in pairs)
    return k, v
