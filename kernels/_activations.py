"""Activations that kernels of several ops share. Import only where Triton is installed."""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN202

import triton
import triton.language as tl


@triton.jit
def sigmoid(x):
    """1 / (1 + exp(-x)) without overflow."""
    small = tl.exp(-tl.abs(x))
    return tl.where(x >= 0, 1.0, small) / (1 + small)


@triton.jit
def silu_slope(x):
    """Derivative of x sigmoid(x)."""
    s = sigmoid(x)
    return s * (1 + x * (1 - s))
