"""The kernel of norms per member under the interpreter."""

import pytest
import torch
from torch.library import opcheck

from geomem.kernels import _arrays
from tests.kernels import norm_cases as cases


# One element; a ragged warp; blocks of which the last holds one; arrays of every kind, in one
# launch each and in several.
@pytest.mark.parametrize("sizes", [[1], [37], [4097], [5, 4097, 1, 256, 1024, 300]])
@pytest.mark.parametrize("most", [1, 2, 16])
def test_equals_the_norm_of_all_that_is_a_members(monkeypatch, sizes, most):
    monkeypatch.setattr(_arrays, "MOST", most)
    for dtype in (torch.float32, torch.float64):
        cases.hold(3, sizes, dtype, "triton")


def test_how_it_behaves():
    cases.how_it_behaves("triton")
    cases.some_arrays_may_have_half_the_bits("triton")


def test_the_operator_is_registered_as_pytorch_wants_it():
    opcheck(torch.ops.geomem.member_norm.default, (cases.arrays(2, [3, 300]), "triton"))
