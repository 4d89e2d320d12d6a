"""What every implementation takes.

K members · R rows · D width
"""

from typing import NamedTuple

from torch import Tensor

EPS = 1e-5  # added to the variance or the mean square


class Inputs(NamedTuple):
    """x: [K,R,D]; y: [K,R,D] or None; weight: [K,D]; bias: [K,D], or None for the root mean square.

    y_bias: [K,D] or None, to be added to y. Or their gradients.
    """

    x: Tensor
    y: Tensor | None
    weight: Tensor
    bias: Tensor | None
    y_bias: Tensor | None = None
