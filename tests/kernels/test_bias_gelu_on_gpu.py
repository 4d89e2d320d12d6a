"""Bias and GELU on a device."""

import pytest
import torch

from tests.kernels import bias_gelu_cases as cases

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize(
    "shape", [(4096, 17, 128), (64, 802, 256), (1, 4000, 1536), (2, 9, 3136), (3, 5, 33)]
)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_every_shape(shape, dtype):
    cases.hold(*cases.inputs(*shape, dtype, "cuda"), "triton")


def test_how_it_behaves():
    cases.member_alone_equals_member_in_a_stack("triton", "cuda")
    cases.far_from_zero_it_is_the_line_or_zero("triton", "cuda")
