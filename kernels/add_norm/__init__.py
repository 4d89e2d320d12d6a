"""Residual addition and norm of a stack, in one pass."""

from geomem.kernels.add_norm.api import AddNorm, add_norm

__all__ = ["AddNorm", "add_norm"]
