"""Bias and GELU of a stack, in one pass."""

from geomem.kernels.bias_gelu.api import bias_gelu

__all__ = ["bias_gelu"]
