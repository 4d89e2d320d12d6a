"""Causal attention over many short sequences with a shared prefix."""

from geomem.kernels.short_attention.api import short_attention
from geomem.kernels.short_attention.packed import packed_attention

__all__ = ["packed_attention", "short_attention"]
