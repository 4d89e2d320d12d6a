"""The one way in which tests compare numbers."""

import torch
from torch import Tensor


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Frobenius norm of the difference in units of the expected tensor's norm."""
    actual, expected = actual.detach().double(), expected.detach().double()
    return float((actual - expected).norm() / expected.norm())


def assert_close(actual: Tensor, expected: Tensor, budget: float) -> None:
    """Hold an op against an fp64 reference; the budget has to be one that zeros would miss."""
    assert expected.dtype == torch.float64
    assert actual.shape == expected.shape
    assert relative_error(torch.zeros_like(actual), expected) > 10 * budget, "zeros would pass"
    error = relative_error(actual, expected)
    assert error <= budget, f"relative error {error:.3g} exceeds {budget:.3g}"


def assert_as_good(actual: Tensor, expected: Tensor, eager: Tensor, dtype: torch.dtype) -> None:
    """Hold an op against fp64 by what plain operations of its own precision reach.

    The budget is twice the error of `eager`, computed from inputs of `dtype`, and a band: one
    rounding of that dtype, and sixteen of float32, in which sums may come in another order.
    """
    band = rounding(dtype) + 16 * rounding(torch.float32)
    assert_close(actual, expected, 2 * relative_error(eager, expected) + band)


def rounding(dtype: torch.dtype) -> float:
    """Largest relative error of rounding to a dtype."""
    return torch.finfo(dtype).eps / 2
