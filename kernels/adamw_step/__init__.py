"""AdamW over a stack, with every setting per member."""

from geomem.kernels.adamw_step.api import AdamWHyper, adamw_step

__all__ = ["AdamWHyper", "adamw_step"]
