"""Bias and GELU on the CPU."""

import pytest
import torch

from geomem.kernels import bias_gelu
from geomem.kernels.bias_gelu.api import implementation
from tests.kernels import bias_gelu_cases as cases
from tests.kernels import pass_cases


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_equals_pytorchs(dtype):
    cases.hold(*cases.inputs(3, 5, 8, dtype), "reference")


def test_how_it_behaves():
    cases.member_alone_equals_member_in_a_stack("reference")
    cases.far_from_zero_it_is_the_line_or_zero("reference")


def test_the_choice_has_a_name(monkeypatch):
    pass_cases.the_choice_has_a_name(monkeypatch, implementation)


X, B = torch.zeros(2, 3, 4), torch.ones(2, 4)
WRONG = {
    r"x should be \[K,R,F\] and not empty, got \(2, 0, 4\)": (X[:, :0], B),
    r"x should be of a float dtype, got torch.int64": (X.long(), B),
    r"bias should be \(2, 4\), got \(1, 4\)": (X, B[:1]),
    r"bias should be torch.float32 on cpu, got torch.float64 on cpu": (X.bfloat16(), B.double()),
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses_what_does_not_fit(message):
    with pytest.raises(ValueError, match=f"bias_gelu: {message}"):
        bias_gelu(*WRONG[message])
    with pytest.raises(ValueError, match="impl='triton' is not available here"):
        bias_gelu(X, B, impl="triton")
