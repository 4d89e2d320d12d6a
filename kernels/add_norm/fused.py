"""The Triton implementation: one launch forward, one backward and the sums of its parts.

With c_i the row, less its mean where there is a bias, r = 1 / sqrt(mean c^2 + eps), n_i = c_i r:
    normal_i = w_i n_i + b_i        h_i = w_i dnormal_i
    dtotal_i += r (h_i - mean h - n_i mean(h n))       the mean of h only where there is a bias
    dw_i = sum over rows of dnormal_i n_i              db_i = sum over rows of dnormal_i
    dy_bias_i = sum over rows of dtotal_i
Nothing is kept for the backward pass but the row, from which r comes again at no cost in bytes.

K members · R rows · D width
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201, ANN202

from math import ceil
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from geomem.kernels._tiles import acc_type_of, narrow, widen
from geomem.kernels.add_norm import configs
from geomem.kernels.add_norm.problem import EPS, Inputs
from geomem.kernels.slices import slices_of


class Had(NamedTuple):
    """Of Inputs: the dtype of y, if there was one, and whether there were biases."""

    y: torch.dtype | None
    bias: bool
    y_bias: bool

    @classmethod
    def of(cls, x: Inputs) -> "Had":
        """Return what there was."""
        return cls(None if x.y is None else x.y.dtype, x.bias is not None, x.y_bias is not None)


@triton.jit
def _normalised(v, ok, D, eps, centred: tl.constexpr):
    """n and r of the rows of a tile, 0 outside of it."""
    if centred:
        v = tl.where(ok, v - (tl.sum(v, 1) / D)[:, None], 0.0)
    r = 1 / tl.sqrt(tl.sum(v * v, 1) / D + eps)
    return v * r[:, None], r


# Addresses are aligned by D alone: another number of rows takes no kernel of its own.
_jit = triton.jit(do_not_specialize=["R", "slices", "per_program"])


@_jit
def forward_kernel(
    x, y, weight, bias, y_bias, total, normal, R, D,
    eps: tl.constexpr, BR: tl.constexpr, BD: tl.constexpr, acc: tl.constexpr,
):  # fmt: skip
    tiles = tl.cdiv(R, BR)
    k = (tl.program_id(0) // tiles).to(tl.int64)
    row = tl.program_id(0) % tiles * BR + tl.arange(0, BR)
    column = tl.arange(0, BD)
    ok = (row < R)[:, None] & (column < D)[None]
    at = (k * R + row)[:, None] * D + column[None]
    v = widen(tl.load(x + at, mask=ok, other=0.0), acc)
    if y is not None:
        added = widen(tl.load(y + at, mask=ok, other=0.0), acc)
        if y_bias is not None:
            added += tl.load(y_bias + k * D + column, mask=column < D, other=0.0)[None]
        rounded = narrow(v + added, total.dtype.element_ty)
        tl.store(total + at, rounded, mask=ok)
        v = widen(rounded, acc)
    n, _ = _normalised(v, ok, D, eps, bias is not None)
    n *= tl.load(weight + k * D + column, mask=column < D, other=0.0)[None]
    if bias is not None:
        n += tl.load(bias + k * D + column, mask=column < D, other=0.0)[None]
    tl.store(normal + at, narrow(n, normal.dtype.element_ty), mask=ok)


@_jit
def backward_kernel(
    total, weight, dtotal, dnormal, dx, dy, dweight, dbias, dy_bias, R, D, slices, per_program,
    eps: tl.constexpr, BR: tl.constexpr, BD: tl.constexpr, acc: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    k, column = (program // slices).to(tl.int64), tl.arange(0, BD)
    first = program % slices * per_program
    w = tl.load(weight + k * D + column, mask=column < D, other=0.0)
    sum_w, sum_b, sum_y = tl.zeros([BD], acc), tl.zeros([BD], acc), tl.zeros([BD], acc)
    for tile in range(first, tl.minimum(first + per_program, tl.cdiv(R, BR))):
        row = tile * BR + tl.arange(0, BR)
        ok = (row < R)[:, None] & (column < D)[None]
        at = (k * R + row)[:, None] * D + column[None]
        v = widen(tl.load(total + at, mask=ok, other=0.0), acc)
        g = widen(tl.load(dnormal + at, mask=ok, other=0.0), acc)
        n, r = _normalised(v, ok, D, eps, dbias is not None)
        sum_w += tl.sum(g * n, 0)
        h = g * w[None]
        d = h - n * (tl.sum(h * n, 1) / D)[:, None]
        if dbias is not None:
            sum_b += tl.sum(g, 0)
            d -= (tl.sum(h, 1) / D)[:, None]
        d *= r[:, None]
        if dtotal is not None:
            d += widen(tl.load(dtotal + at, mask=ok, other=0.0), acc)
        if dy_bias is not None:
            sum_y += tl.sum(d, 0)
        tl.store(dx + at, narrow(d, dx.dtype.element_ty), mask=ok)
        if dy is not None:
            tl.store(dy + at, narrow(d, dy.dtype.element_ty), mask=ok)
    out = program.to(tl.int64) * D + column
    tl.store(dweight + out, sum_w, mask=column < D)
    if dbias is not None:
        tl.store(dbias + out, sum_b, mask=column < D)
    if dy_bias is not None:
        tl.store(dy_bias + out, sum_y, mask=column < D)


def forward(inputs: Inputs, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return total, which is x where y is None, and normal; does not wait for the device."""
    tensors = Inputs(*(None if t is None else t.contiguous() for t in inputs))  # type: ignore[arg-type]
    x, y = tensors.x, tensors.y
    (K, R, D), tile = x.shape, configs.tile(*x.shape[1:])
    total = x if y is None else torch.empty_like(x)
    normal = torch.empty_like(x, dtype=dtype)
    with torch.cuda.device_of(x):
        forward_kernel[(K * ceil(R / tile.rows),)](
            **tensors._asdict(), total=total, normal=normal, R=R, D=D,
            eps=EPS, BR=tile.rows, BD=tile.columns, acc=acc_type_of(x.dtype), num_warps=tile.warps,
        )  # fmt: skip
    return total, normal


def backward(
    total: Tensor,
    weight: Tensor,
    had: Had,
    dtotal: Tensor | None,
    dnormal: Tensor,
) -> tuple[Tensor | None, ...]:
    """Return gradients in the order of Inputs."""
    weight, dnormal = weight.contiguous(), dnormal.contiguous()
    dtotal = None if dtotal is None else dtotal.contiguous()
    (K, R, D), tile = total.shape, configs.tile(*total.shape[1:])
    grid = slices_of(ceil(R / tile.rows), K, configs.PROGRAMS)
    dx = torch.empty_like(total)
    dy = None if had.y in (None, total.dtype) else torch.empty_like(total, dtype=had.y)
    sums = weight.new_empty(1 + had.bias + had.y_bias, K, grid.number, D)
    dbias, dy_bias = sums[1] if had.bias else None, sums[-1] if had.y_bias else None
    with torch.cuda.device_of(total):
        backward_kernel[(K * grid.number,)](
            total=total, weight=weight, dtotal=dtotal, dnormal=dnormal, dx=dx, dy=dy,
            dweight=sums[0], dbias=dbias, dy_bias=dy_bias,
            R=R, D=D, slices=grid.number, per_program=grid.rows,
            eps=EPS, BR=tile.rows, BD=tile.columns, acc=acc_type_of(total.dtype),
            num_warps=tile.warps,
        )  # fmt: skip
    of_y = None if had.y is None else dx if dy is None else dy
    dweight, *biases = sums.sum(2).unbind()
    found = iter(biases)
    return dx, of_y, dweight, *(next(found) if there else None for there in (had.bias, had.y_bias))
