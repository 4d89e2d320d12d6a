"""The kernels of dropout under the interpreter: the reference's bits, all of them."""

import pytest
import torch

from geomem.kernels import dropout
from geomem.kernels.dropout import configs
from tests.kernels import dropout_cases as cases


# One number; a ragged tile; a full one; several; no rows; many axes.
@pytest.mark.parametrize("shape", [(1, 1), (3, 5, 7), (2, 32, 32), (5, 9, 130), (4,), (2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_every_shape(shape, dtype):
    cases.hold(*cases.inputs(*shape, dtype=dtype), "triton")


@pytest.mark.parametrize("site", cases.SITES)
def test_every_counter(site):
    cases.hold(*cases.inputs(4, 1030, site=site), "triton")


def test_how_it_behaves():
    cases.hold_numbers("triton")
    cases.member_alone_equals_member_in_a_stack("triton")
    cases.views_are_what_their_copies_are("triton")
    cases.as_many_as_the_rates_say("triton")


@pytest.mark.parametrize("elements", [1, 16])
def test_any_division_of_the_work_gives_the_same(monkeypatch, elements):
    monkeypatch.setattr(configs, "TILE", elements)
    cases.hold(*cases.inputs(2, 5, 9), "triton")


def test_there_are_no_second_derivatives():
    x, *others = cases.inputs(1, 3, 4)
    x.requires_grad_()
    with pytest.raises(RuntimeError, match="second derivatives need impl"):
        torch.autograd.grad(dropout(x, *others, impl="triton").sum(), x, create_graph=True)
