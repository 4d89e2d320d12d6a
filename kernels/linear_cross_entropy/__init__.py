"""Cross-entropy of hidden states against an embedding matrix, without the logits of all rows."""

from geomem.kernels.linear_cross_entropy.api import (
    LinearCrossEntropy,
    Targets,
    implementation,
    linear_cross_entropy,
)
from geomem.kernels.linear_cross_entropy.op import ones_like_losses

__all__ = [
    "LinearCrossEntropy",
    "Targets",
    "implementation",
    "linear_cross_entropy",
    "ones_like_losses",
]
