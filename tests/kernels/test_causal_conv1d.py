"""The causal convolution on the CPU: the reference by PyTorch's own, the fast path by it."""

import pytest
import torch
from torch.library import opcheck
from torch.nn import functional as F

from geomem.kernels import causal_conv1d
from tests.closeness import assert_close
from tests.kernels import conv_cases as cases

IMPLEMENTATIONS = ["reference", "eager"]
STARTS = [None, "shared", "own"]


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("W", [2, 3, 4])
def test_equals_pytorch_convolutions(impl, start, W):
    K, B, T, C = 2, 3, 5, 4
    x = cases.inputs(K, B, T, C, W, start=start)
    first = x.get("initial", torch.zeros(K, 1, W - 1, C).double()).expand(K, B, W - 1, C)
    steps = torch.cat([first, x["x"]], 2)
    expected = torch.stack(
        [
            F.conv1d(steps[k].mT, x["weight"][k][:, None], x["bias"][k], groups=C).mT
            for k in range(K)
        ]
    )
    assert_close(causal_conv1d(**x, activation=None, impl=impl), expected, 1e-14)
    assert_close(causal_conv1d(**x, impl=impl), F.silu(expected), 1e-14)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
@pytest.mark.parametrize("start", STARTS)
def test_gradcheck_in_double(impl, start):
    x = cases.inputs(2, 2, 3, 2, 4, start=start)
    names, tensors = list(x), [t.requires_grad_() for t in x.values()]
    assert torch.autograd.gradcheck(
        lambda *v: causal_conv1d(**dict(zip(names, v, strict=True)), impl=impl), tensors
    )


@pytest.mark.parametrize("T", [1, 2, 3, 9])  # fewer steps than taps, and more
@pytest.mark.parametrize("start", STARTS)
def test_the_fast_path_is_as_good_as_the_reference(T, start):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        for W in (2, 4):
            cases.hold(cases.inputs(2, 3, T, 8, W, dtype, start), "eager")
    x = cases.inputs(2, 3, T, 8, 4, torch.float32, start, bias=False)
    cases.hold(x, "eager", activation=None)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
def test_how_every_implementation_behaves(impl):
    cases.parts_equal_the_whole(impl)
    cases.shared_start_sums_its_gradients(impl)
    cases.no_step_sees_what_comes_after_it(impl)
    cases.member_alone_equals_member_in_a_stack(impl)
    cases.repeats_to_the_bit(impl)


def test_the_operator_is_registered_as_pytorch_wants_it():
    for start, bias in (("shared", True), (None, False)):
        x = cases.inputs(1, 2, 3, 4, 4, torch.float32, start, bias=bias)
        tensors = [x[n].requires_grad_() if n in x else None for n in ("x", "weight")]
        rest = [x[n].requires_grad_() if n in x else None for n in ("bias", "initial")]
        opcheck(torch.ops.geomem.causal_conv1d.default, (*tensors, *rest, True, "eager"))


def test_compiles_without_breaks():
    x = {n: t.requires_grad_() for n, t in cases.inputs(2, 3, 4, 5, 4, start="own").items()}
    run = torch.compile(causal_conv1d, backend="aot_eager", fullgraph=True)
    compiled, plain = run(**x), causal_conv1d(**x)
    assert torch.equal(compiled, plain)
    wanted = list(x.values())
    found = torch.autograd.grad(compiled.sum(), wanted)
    for a, b in zip(found, torch.autograd.grad(plain.sum(), wanted), strict=True):
        assert torch.equal(a, b)


WRONG = {
    r"x should be \[K,B,T,C\] and not empty": {"x": torch.zeros(2, 3, 0, 5)},
    r"weight should be \(2, 5, 'W'\) with W of 2, 3 or 4, got \(2, 5, 5\)": {
        "weight": torch.zeros(2, 5, 5)
    },
    r"bias should be \(2, 5\), got \(5,\)": {"bias": torch.zeros(5)},
    r"initial should be \(2, 3, 3, 5\) or \(2, 1, 3, 5\), got \(2, 3, 2, 5\)": {
        "initial": torch.zeros(2, 3, 2, 5)
    },
    r"weight should be torch.float32, got torch.bfloat16": {
        "weight": torch.zeros(2, 5, 4).bfloat16()
    },
    r"activation should be 'silu' or None, got 'gelu'": {"activation": "gelu"},
    r"impl='triton' is not available here; choose one of auto, reference, eager": {
        "impl": "triton"
    },
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses_what_does_not_fit(message):
    x = cases.inputs(2, 3, 4, 5, 4, torch.float32, "own")
    with pytest.raises(ValueError, match=f"causal_conv1d: {message}"):
        causal_conv1d(**{**x, **WRONG[message]})
