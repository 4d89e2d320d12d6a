"""What the kernels of the scan do to each step and channel, and to rows of a tile of steps."""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)  # decays are exp2(dt * (a * LOG2_E))


@triton.jit
def log1p_unit(e):
    """log(1 + e) for e from 0 to 1, to the last digits: 2 atanh(t) with t = e / (2 + e) <= 1/3."""
    TERMS: tl.constexpr = 17 if e.dtype == tl.float64 else 8
    t = e / (2 + e)
    series = t * 0 + 1 / (2 * TERMS - 1)
    for i in tl.static_range(TERMS - 2, -1, -1):
        series = series * (t * t) + 1 / (2 * i + 1)
    return 2 * t * series


@triton.jit
def time_step(raw, softplus: tl.constexpr):
    """dt: softplus(raw) to the last digits, also where it is small, or raw itself."""
    if softplus:
        raw = tl.maximum(raw, 0.0) + log1p_unit(tl.exp(-tl.abs(raw)))
    return raw


@triton.jit
def take(x, step, i: tl.constexpr, axis: tl.constexpr):
    """Row i of a tile along the axis of its steps."""
    return tl.sum(tl.where(step == i, x, 0.0), axis)


@triton.jit
def load_tile(pointer, offsets, mask, real: tl.constexpr):
    """Elements in the type of the arithmetic, 0 where masked."""
    return tl.load(pointer + offsets, mask=mask, other=0.0).to(real)
