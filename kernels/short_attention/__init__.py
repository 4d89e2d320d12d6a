"""Causal attention over many short sequences with a shared prefix."""

from geomem.kernels.short_attention.api import short_attention

__all__ = ["short_attention"]
