"""Dropout of a stack, drawn from counters, in one pass."""

from geomem.kernels.dropout.api import dropout

__all__ = ["dropout"]
