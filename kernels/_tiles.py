"""What Triton kernels of all ops share: products, rounding and the interpreter's gaps.

The interpreter multiplies the bit patterns of bf16 and truncates where hardware rounds, so that
both go through here. Import this module only where Triton is installed.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN202

import torch
import triton
import triton.language as tl

from geomem.kernels.choice import INTERPRETED

_INTERPRETED = tl.constexpr(INTERPRETED)


def acc_type_of(dtype: torch.dtype) -> tl.dtype:
    """Triton's name of the type in which sums are taken: double for doubles, else float."""
    return tl.float64 if dtype == torch.float64 else tl.float32


@triton.jit
def widen(value, dtype: tl.constexpr):
    """Cast to a type that holds every value; the interpreter is slow at this for bf16."""
    if _INTERPRETED and value.dtype == tl.bfloat16:
        bits = value.to(tl.int16, bitcast=True).to(tl.int32) << 16
        value = bits.to(tl.float32, bitcast=True)
    return value.to(dtype)


@triton.jit
def dot(a, b, acc):
    """acc + a @ b, never in TF32."""
    if _INTERPRETED:
        a, b = widen(a, acc.dtype), widen(b, acc.dtype)
    return tl.dot(a, b, acc, input_precision="ieee", out_dtype=acc.dtype)


@triton.jit
def narrow(value, dtype: tl.constexpr):
    """Round to nearest even into a type that may be narrower."""
    if _INTERPRETED and dtype == tl.bfloat16:
        bits = value.to(tl.float32).to(tl.int32, bitcast=True)
        bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & -65536
        value = bits.to(tl.float32, bitcast=True)
    return value.to(dtype)


@triton.jit
def log1p(r):
    """log(1 + r) for r >= 0 to its last digits: 2 atanh(r / (2 + r)), a series for small r."""
    t = r / (2 + r)
    square = t * t
    series = t * 0 + 1 / 21
    for i in tl.static_range(10):
        series = series * square + 1 / (19 - 2 * i)
    return tl.where(r < 0.5, 2 * t * series, tl.log(1 + r))


@triton.jit
def expm1(x):
    """exp(x) - 1 for x <= 0 to its last digits, by a series for small x."""
    series = x * 0 + 1
    for i in tl.static_range(15):
        series = 1 + series * x / (16 - i)
    return tl.where(x > -0.5, x * series, tl.exp(x) - 1)
