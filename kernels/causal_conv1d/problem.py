"""What every implementation takes and returns.

K members · B sequences · T positions · C channels · W width of the filter
"""

from typing import NamedTuple

from torch import Tensor


class Inputs(NamedTuple):
    """The differentiable arguments of `causal_conv1d`, or their gradients."""

    x: Tensor
    weight: Tensor
    bias: Tensor | None
    initial: Tensor | None


def new_gradients(inputs: Inputs) -> list[Tensor]:
    """Allocate gradients in the order of Inputs, [0] for what is None; the weight's taps apart."""
    x, weight, bias, initial = inputs
    return [
        x.new_empty(x.shape),
        weight.new_empty(weight.mT.shape).mT,
        weight.new_empty(0 if bias is None else bias.shape),
        x.new_empty(0 if initial is None else initial.shape),
    ]
