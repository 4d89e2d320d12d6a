"""The kernels of the causal convolution under the interpreter."""

import pytest
import torch
from torch.library import opcheck

from geomem.kernels import causal_conv1d
from geomem.kernels.causal_conv1d import configs
from geomem.kernels.causal_conv1d.problem import Inputs
from tests.kernels import conv_cases as cases

STARTS = [None, "shared", "own"]


# Fewer steps than taps, a whole tile, one step more than a tile, several tiles.
@pytest.mark.parametrize("T", [1, 2, 8, 9, 20])
@pytest.mark.parametrize("start", STARTS)
def test_every_regime(T, start):
    for dtype in (torch.float32, torch.bfloat16):
        for W in (2, 4):
            cases.hold(cases.inputs(1, 2, T, 40, W, dtype, start), "triton")


def test_without_bias_or_activation():
    x = cases.inputs(2, 3, 9, 130, 3, torch.float32, "own", bias=False)
    cases.hold(x, "triton", activation=None)


@pytest.mark.parametrize("start", STARTS)
def test_gradcheck_in_double(start):
    x = cases.inputs(1, 2, 3, 2, 4, start=start)
    names, tensors = list(x), [t.requires_grad_() for t in x.values()]
    assert torch.autograd.gradcheck(
        lambda *v: causal_conv1d(**dict(zip(names, v, strict=True)), impl="triton"), tensors
    )


def test_how_it_behaves():
    cases.parts_equal_the_whole("triton")
    cases.shared_start_sums_its_gradients("triton")
    cases.no_step_sees_what_comes_after_it("triton")
    cases.member_alone_equals_member_in_a_stack("triton")
    cases.repeats_to_the_bit("triton")


@pytest.mark.parametrize("programs", [1, 7])
def test_any_division_of_the_work_gives_the_same(monkeypatch, programs):
    monkeypatch.setattr(configs, "FORWARD_PROGRAMS", programs)
    monkeypatch.setattr(configs, "BACKWARD_PROGRAMS", programs)
    cases.hold(cases.inputs(2, 3, 20, 70, 4, torch.float32, "shared"), "triton")


def test_any_strides_will_do():
    x = cases.inputs(2, 3, 4, 9, 4, torch.float32, "own")
    expected = cases.everything(x, "triton")
    moved = {
        "x": x["x"].permute(2, 0, 1, 3).contiguous().permute(1, 2, 0, 3),
        "weight": x["weight"].mT.contiguous().mT,
        "bias": x["bias"].T.contiguous().T,
        "initial": x["initial"].mT.contiguous().mT,
    }
    for name, t in cases.everything(moved, "triton").items():
        assert torch.equal(t, expected[name]), name


def test_the_operator_is_registered_as_pytorch_wants_it():
    for start, bias in (("shared", True), ("own", False), (None, False)):
        x = cases.inputs(1, 2, 3, 4, 4, start=start, bias=bias)
        inputs = Inputs(*(x[n].requires_grad_() if n in x else None for n in Inputs._fields))
        opcheck(torch.ops.geomem.causal_conv1d.default, (*inputs, True, "triton"))
