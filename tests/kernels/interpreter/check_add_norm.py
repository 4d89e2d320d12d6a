"""The kernels of the residual addition and the norm after it under the interpreter."""

import pytest
import torch

from geomem.kernels.add_norm import configs
from tests.kernels import add_norm_cases as cases

HALF, SINGLE = torch.bfloat16, torch.float32


# One row; a ragged tile; several tiles; rows wider than a tile is high; a width of no power of two.
@pytest.mark.parametrize(("R", "D"), [(1, 1), (5, 7), (70, 32), (9, 784), (3, 2048)])
@pytest.mark.parametrize("centred", [True, False])
def test_every_shape(R, D, centred):
    if (D, centred) != (1, True):  # of one number the centred norm is zero
        cases.hold(cases.inputs(2, R, D, SINGLE, HALF, centred), "triton", HALF)
        cases.hold(cases.inputs(2, R, D, SINGLE, None, centred), "triton")
        cases.hold(cases.inputs(2, R, D, SINGLE, SINGLE, centred, y_bias=False), "triton")


@pytest.mark.parametrize("x, y", [(HALF, HALF), (HALF, None), (SINGLE, SINGLE)])  # noqa: PT006
@pytest.mark.parametrize("used", [("total", "normal"), ("normal",), ("total",)])
def test_every_dtype_and_what_is_used_of_it(x, y, used):
    cases.hold(cases.inputs(2, 20, 24, x, y), "triton", used=used)


@pytest.mark.parametrize("y", [None, torch.float64])
@pytest.mark.parametrize("centred", [True, False])
def test_gradcheck_in_double(y, centred):
    x = cases.inputs(2, 3, 5, torch.float64, y, centred)
    given = [t.requires_grad_() for t in x.values() if t is not None]

    def run(*tensors):
        rest = iter(tensors)
        there = {name: None if t is None else next(rest) for name, t in x.items()}
        return cases.run(there, impl="triton")

    assert torch.autograd.gradcheck(run, given)


def test_how_it_behaves():
    cases.member_alone_equals_member_in_a_stack("triton")
    cases.strides_do_not_matter("triton")
    cases.repeats_to_the_bit("triton")


@pytest.mark.parametrize("programs", [1, 7])
def test_any_division_of_the_work_gives_the_same(monkeypatch, programs):
    monkeypatch.setattr(configs, "PROGRAMS", programs)
    monkeypatch.setattr(configs, "TILE", 64)
    cases.hold(cases.inputs(2, 70, 20, SINGLE, HALF), "triton", HALF)


def test_there_are_no_second_derivatives():
    x = cases.inputs(1, 3, 4, SINGLE, SINGLE)
    leaf = x["x"].requires_grad_()
    with pytest.raises(RuntimeError, match="second derivatives need impl"):
        torch.autograd.grad(cases.run(x, impl="triton").normal.sum(), leaf, create_graph=True)
