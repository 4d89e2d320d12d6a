"""Fused ops over stacks. They know tensors, and nothing of models, graphs or files."""

from geomem.kernels.adamw_step import AdamWHyper, adamw_step
from geomem.kernels.linear_cross_entropy import LinearCrossEntropy, Targets, linear_cross_entropy
from geomem.kernels.short_attention import short_attention

__all__ = [
    "AdamWHyper",
    "LinearCrossEntropy",
    "Targets",
    "adamw_step",
    "linear_cross_entropy",
    "short_attention",
]
