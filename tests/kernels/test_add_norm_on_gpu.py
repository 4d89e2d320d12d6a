"""The residual addition and the norm after it on a device."""

import pytest
import torch

from tests.kernels import add_norm_cases as cases

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
HALF, SINGLE = torch.bfloat16, torch.float32


@pytest.mark.parametrize(
    "shape", [(4096, 17, 32), (64, 802, 64), (1, 4000, 384), (2, 9, 784), (1, 3, 4096)]
)
@pytest.mark.parametrize("centred", [True, False])
def test_every_shape(shape, centred):
    for x, y, out in (
        (SINGLE, HALF, HALF),
        (SINGLE, SINGLE, SINGLE),
        (SINGLE, None, HALF),
        (HALF, HALF, HALF),
    ):
        cases.hold(cases.inputs(*shape, x, y, centred, device="cuda"), "triton", out)


def test_how_it_behaves():
    cases.member_alone_equals_member_in_a_stack("triton", "cuda")
    cases.strides_do_not_matter("triton", "cuda")
    cases.repeats_to_the_bit("triton", "cuda", 16, 4000, 64)
