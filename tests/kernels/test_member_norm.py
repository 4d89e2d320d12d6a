"""Norms per member on the CPU."""

import pytest
import torch
from torch.library import opcheck

from geomem.kernels import choice, member_norm
from geomem.kernels.member_norm.api import implementation
from tests.kernels import norm_cases as cases


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", [[1], [1023], [5, 4097, 1, 256]])
def test_equals_the_norm_of_all_that_is_a_members(sizes, dtype):
    cases.hold(3, sizes, dtype, "reference")


def test_how_it_behaves():
    cases.how_it_behaves("reference")
    cases.some_arrays_may_have_half_the_bits("reference")


def test_the_operator_is_registered_as_pytorch_wants_it():
    given = cases.arrays(2, [3, 5])
    opcheck(torch.ops.geomem.member_norm.default, (given, "reference"))
    compiled = torch.compile(member_norm, backend="aot_eager", fullgraph=True)(given)
    assert torch.equal(compiled, member_norm(given))


def test_the_choice_has_a_name(monkeypatch):
    assert implementation("auto", "cpu", torch.float32) == "reference"
    monkeypatch.setattr(choice, "TRITON", True)
    assert implementation("auto", "cuda", torch.float32) == "triton"
    monkeypatch.setattr(choice, "TRITON", False)
    assert implementation("auto", "cuda", torch.float32) == "reference"


A = torch.zeros(2, 3)
WRONG = {
    r"expected one array at least": [],
    r"expected arrays \(2, P\), not empty, got \(2, 0\)": [A, A[:, :0]],
    r"expected arrays \(2, P\), not empty, got \(1, 3\)": [A, A[:1]],
    r"expected arrays of float32 and bfloat16, or of float64, .* and torch.float64": [
        A,
        A.double(),
    ],
    r".* and torch.int64 on cpu": [A.long()],
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses_what_does_not_fit(message):
    with pytest.raises(ValueError, match=f"member_norm: {message}"):
        member_norm(WRONG[message])
    with pytest.raises(ValueError, match="impl='triton' is not available here"):
        member_norm([A], impl="triton")
