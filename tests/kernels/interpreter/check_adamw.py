"""The kernel of the optimiser step under the interpreter."""

import pytest
import torch

from geomem.kernels import _arrays
from tests.kernels import adamw_cases as cases


# One parameter, a ragged warp, a ragged block, several blocks of which the last holds one.
@pytest.mark.parametrize("P", [1, 37, 1023, 4097])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_separate_optimisers(P, dtype):
    cases.hold(3, P, dtype, "triton")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_how_it_behaves(monkeypatch, dtype):
    cases.inactive_members_keep_every_bit("triton", dtype)
    cases.inactive_members_keep_every_bit("triton", dtype, P=1100)
    cases.member_alone_equals_member_in_a_stack("triton", dtype)
    cases.rows_may_lie_apart("triton", dtype)
    cases.arrays_are_stepped_as_one("triton", dtype)
    monkeypatch.setattr(_arrays, "MOST", 1)
    cases.arrays_are_stepped_as_one("triton", dtype)
    cases.first_steps_keep_their_digits("triton", dtype)
    cases.scale_multiplies_the_gradient("triton")
    cases.gradients_may_have_half_the_bits("triton")
