"""What every implementation takes.

K members · P parameters of a member
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
    """The large arguments, each [K, P]; all but the gradients are written."""

    parameters: Tensor
    gradients: Tensor
    first: Tensor
    second: Tensor
    shadow: Tensor | None
