"""What every implementation takes.

K members · P elements of a member in an array
"""

from typing import NamedTuple

from torch import Tensor


class AdamWHyper(NamedTuple):
    """Per-member settings of one step, each float [K].

    scale multiplies the gradient (for clipping); step counts from 1 and sets the bias correction.
    """

    lr: Tensor
    weight_decay: Tensor
    beta1: Tensor
    beta2: Tensor
    eps: Tensor
    scale: Tensor
    step: Tensor


class Arrays(NamedTuple):
    """The large arguments: one tensor [K, P] per array; all but the gradients are written."""

    parameters: list[Tensor]
    gradients: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
