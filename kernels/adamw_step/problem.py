"""What every implementation takes.

K members · P elements of a member in an array
"""

from collections.abc import Iterator, Sequence
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


Array = tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]
"""One array of each: parameters, gradients, first and second moment, shadow."""


class Arrays(NamedTuple):
    """The large arguments: one tensor [K, P] per array; all but the gradients are written.

    shadow is empty, or has as many arrays as the others.
    """

    parameters: list[Tensor]
    gradients: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    shadow: list[Tensor]

    def each(self) -> Iterator[Array]:
        """Yield the five tensors of one array after the other."""
        shadow: Sequence[Tensor | None] = self.shadow or [None] * len(self.parameters)
        yield from zip(*self[:4], shadow, strict=True)
