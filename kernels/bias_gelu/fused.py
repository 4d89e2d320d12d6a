"""The Triton implementation: one launch forward, one backward and the sums of its parts.

With z = x + bias and s = 1 / (1 + exp(-2 u)), u = c (z + a z^3), c = sqrt(2 / pi), a = 0.044715:
    y = z s, as 1 + tanh(u) = 2 s        dx = dy (s + z s (1 - s) 2 c (1 + 3 a z^2))
    dbias = sum over rows of dx

K members · R rows · F width
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201, ANN202

from math import ceil, pi, sqrt

import torch
import triton
import triton.language as tl
from torch import Tensor

from geomem.kernels._tiles import acc_type_of, narrow, widen
from geomem.kernels.bias_gelu import configs
from geomem.kernels.slices import slices_of

SLOPE = tl.constexpr(2 * sqrt(2 / pi))
CUBE = tl.constexpr(0.044715)


@triton.jit
def _gate(z):
    """s."""
    return 1 / (1 + tl.exp(z * -SLOPE * (1 + z * z * CUBE)))


# Addresses are aligned by F alone: another number of rows takes no kernel of its own.
_jit = triton.jit(do_not_specialize=["R", "tiles", "across", "slices", "per_program"])


@_jit
def forward_kernel(
    x, bias, y, R, F, tiles, across,
    BR: tl.constexpr, BF: tl.constexpr, acc: tl.constexpr,
):  # fmt: skip
    part, column = tl.program_id(0) // across, tl.program_id(0) % across * BF + tl.arange(0, BF)
    k, row = (part // tiles).to(tl.int64), part % tiles * BR + tl.arange(0, BR)
    ok = (row < R)[:, None] & (column < F)[None]
    at = (k * R + row)[:, None] * F + column[None]
    added = tl.load(bias + k * F + column, mask=column < F, other=0.0)
    z = widen(tl.load(x + at, mask=ok, other=0.0), acc) + added[None]
    tl.store(y + at, narrow(z * _gate(z), y.dtype.element_ty), mask=ok)


@_jit
def backward_kernel(
    x, bias, dy, dx, dbias, R, F, across, slices, per_program,
    BR: tl.constexpr, BF: tl.constexpr, acc: tl.constexpr,
):  # fmt: skip
    part, column = tl.program_id(0) // across, tl.program_id(0) % across * BF + tl.arange(0, BF)
    k, first = (part // slices).to(tl.int64), part % slices * per_program
    added, sums = tl.load(bias + k * F + column, mask=column < F, other=0.0), tl.zeros([BF], acc)
    for tile in range(first, tl.minimum(first + per_program, tl.cdiv(R, BR))):
        row = tile * BR + tl.arange(0, BR)
        ok = (row < R)[:, None] & (column < F)[None]
        at = (k * R + row)[:, None] * F + column[None]
        z = widen(tl.load(x + at, mask=ok, other=0.0), acc) + added[None]
        s = _gate(z)
        d = s + z * s * (1 - s) * SLOPE * (1 + z * z * (3 * CUBE))
        d *= widen(tl.load(dy + at, mask=ok, other=0.0), acc)
        tl.store(dx + at, narrow(d, dx.dtype.element_ty), mask=ok)
        sums += tl.sum(d, 0)
    tl.store(dbias + part.to(tl.int64) * F + column, sums, mask=column < F)


def forward(x: Tensor, bias: Tensor) -> Tensor:
    """Return y [K, R, F] of x's dtype, without waiting for the device; both are contiguous."""
    (K, R, F), tile = x.shape, configs.tile(*x.shape[1:])
    tiles, across = ceil(R / tile.rows), ceil(F / tile.columns)
    y = torch.empty_like(x)
    with torch.cuda.device_of(x):
        forward_kernel[(K * tiles * across,)](
            x, bias, y, R, F, tiles, across,
            BR=tile.rows, BF=tile.columns, acc=acc_type_of(x.dtype), num_warps=tile.warps,
        )  # fmt: skip
    return y


def backward(x: Tensor, bias: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of x and bias."""
    (K, R, F), tile = x.shape, configs.tile(*x.shape[1:])
    across, dy = ceil(F / tile.columns), dy.contiguous()
    grid = slices_of(ceil(R / tile.rows), K * across, configs.PROGRAMS)
    dx, sums = torch.empty_like(x), bias.new_empty(K, grid.number, F)
    with torch.cuda.device_of(x):
        backward_kernel[(K * grid.number * across,)](
            x, bias, dy, dx, sums, R, F, across, grid.number, grid.rows,
            BR=tile.rows, BF=tile.columns, acc=acc_type_of(x.dtype), num_warps=tile.warps,
        )  # fmt: skip
    return dx, sums.sum(1)
