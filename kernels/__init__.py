"""Fused ops over stacks. They know tensors, and nothing of models, graphs or files."""

from geomem.kernels.adamw_step import AdamWHyper, adamw_step
from geomem.kernels.add_norm import AddNorm, add_norm
from geomem.kernels.bias_gelu import bias_gelu
from geomem.kernels.causal_conv1d import causal_conv1d
from geomem.kernels.dropout import dropout
from geomem.kernels.linear_cross_entropy import (
    LinearCrossEntropy,
    Targets,
    linear_cross_entropy,
    ones_like_losses,
)
from geomem.kernels.member_norm import member_norm
from geomem.kernels.selective_scan import ScanResult, selective_scan
from geomem.kernels.short_attention import packed_attention, short_attention

__all__ = [
    "AdamWHyper",
    "AddNorm",
    "LinearCrossEntropy",
    "ScanResult",
    "Targets",
    "adamw_step",
    "add_norm",
    "bias_gelu",
    "causal_conv1d",
    "dropout",
    "linear_cross_entropy",
    "member_norm",
    "ones_like_losses",
    "packed_attention",
    "selective_scan",
    "short_attention",
]
