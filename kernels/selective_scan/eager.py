"""The CPU's scan: PyTorch operations on tiles that stay in a core's cache, with its own backward.

Nothing is saved but the inputs: the backward pass makes the states of a tile again.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from geomem.kernels.selective_scan.api import ScanResult
from geomem.kernels.selective_scan.eager_tile import Inputs, Options, Tile

TILE = 1 << 18  # elements of a state at a time


def _tiles(x: Inputs) -> Iterator[tuple[slice, slice]]:
    """Yield some members with all sequences at a time, or some sequences of one member."""
    (K, B, _, C), S = x.u.shape, x.a.shape[2]
    members = max(1, TILE // (B * C * S))
    rows = B if members > 1 else max(1, TILE // (C * S))
    for k in range(0, K, members):
        for b in range(0, B, rows):
            yield slice(k, k + members), slice(b, b + rows)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, options: Options, *tensors: Tensor | None) -> tuple[Tensor, Tensor]:
        x = Inputs(*tensors)  # type: ignore[arg-type]
        ctx.save_for_backward(*tensors)
        ctx.options = options
        ctx.set_materialize_grads(False)
        (K, B, T, C), S = x.u.shape, x.a.shape[2]
        y = x.u.new_empty(K, B, T, C)
        last = x.a.new_empty(K, B if options.last_state else 0, S, C).mT
        for at in _tiles(x):
            y[at], h = Tile(x, options, at).forward(options.last_state)
            if h is not None:
                last[at] = h
        return y, last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor | None, dlast: Tensor | None) -> tuple[Tensor | None, ...]:
        x, dn = Inputs(*ctx.saved_tensors), None
        dy = torch.zeros_like(x.u) if dy is None else dy
        grads = [None if t is None else torch.zeros_like(t) for t in x]
        per_member = [t is not None and (t.dim() < 4 or t.shape[1] == 1) for t in x]
        for at in _tiles(x):
            if dlast is not None and ctx.options.last_state:
                dn = dlast[at].mT.contiguous()
            parts = Tile(x, ctx.options, at).backward(dy[at], dn)
            for whole, part, summed in zip(grads, parts, per_member, strict=True):
                if whole is None or part is None:
                    continue
                if summed:
                    whole[at[0]] += part
                else:
                    whole[at] = part
        return None, *grads


def selective_scan(
    u: Tensor,
    delta: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    initial_state: Tensor | None,
    lengths: Tensor | None,
    delta_softplus: bool,
    last_state: bool,
) -> ScanResult:
    """`geomem.kernels.selective_scan` for a CPU, same arguments."""
    options = Options(lengths, delta_softplus, last_state)
    return ScanResult(*_Scan.apply(options, u, delta, a, b, c, d, z, delta_bias, initial_state))
