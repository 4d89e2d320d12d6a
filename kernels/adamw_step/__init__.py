"""AdamW over a stack, with every setting per member."""

from geomem.kernels.adamw_step.api import adamw_step
from geomem.kernels.adamw_step.problem import AdamWHyper

__all__ = ["AdamWHyper", "adamw_step"]
