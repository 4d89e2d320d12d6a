"""The kernels of bias and GELU under the interpreter."""

import pytest
import torch

from geomem.kernels import bias_gelu
from geomem.kernels.bias_gelu import configs
from tests.kernels import bias_gelu_cases as cases


# One number; a ragged tile; several tiles; columns of several programs; many rows to a program.
@pytest.mark.parametrize(("R", "width"), [(1, 1), (5, 7), (70, 32), (9, 1300), (200, 33)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_every_shape(R, width, dtype):
    cases.hold(*cases.inputs(2, R, width, dtype), "triton")


def test_gradcheck_in_double():
    given = [t.requires_grad_() for t in cases.inputs(2, 3, 5)]
    assert torch.autograd.gradcheck(lambda *t: bias_gelu(*t, impl="triton"), given)


def test_how_it_behaves():
    cases.member_alone_equals_member_in_a_stack("triton")
    cases.far_from_zero_it_is_the_line_or_zero("triton")


@pytest.mark.parametrize("programs", [1, 7])
def test_any_division_of_the_work_gives_the_same(monkeypatch, programs):
    monkeypatch.setattr(configs, "PROGRAMS", programs)
    monkeypatch.setattr(configs, "TILE", 64)
    monkeypatch.setattr(configs, "COLUMNS", 16)
    cases.hold(*cases.inputs(2, 70, 40, torch.float32), "triton")


def test_there_are_no_second_derivatives():
    x, bias = cases.inputs(1, 3, 4, torch.float32)
    x.requires_grad_()
    with pytest.raises(RuntimeError, match="second derivatives need impl"):
        torch.autograd.grad(bias_gelu(x, bias, impl="triton").sum(), x, create_graph=True)
