"""The optimiser step of a stack against torch.optim.AdamW, member by member."""

import pytest
import torch

from geomem.kernels import AdamWHyper, adamw_step, choice
from geomem.kernels.adamw_step import eager
from geomem.kernels.adamw_step.api import implementation
from tests.kernels import adamw_cases as cases

IMPLEMENTATIONS = ["reference", "eager"]


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("P", [1, 1023, 4097])
def test_equals_separate_optimisers(impl, dtype, P):
    cases.hold(3, P, dtype, impl)


@pytest.mark.parametrize("impl", IMPLEMENTATIONS)
def test_how_every_implementation_behaves(impl):
    for dtype in (torch.float32, torch.float64):
        cases.inactive_members_keep_every_bit(impl, dtype)
        cases.member_alone_equals_member_in_a_stack(impl, dtype)
        cases.rows_may_lie_apart(impl, dtype)
        cases.arrays_are_stepped_as_one(impl, dtype)
        cases.first_steps_keep_their_digits(impl, dtype)
    cases.scale_multiplies_the_gradient(impl)
    cases.gradients_may_have_half_the_bits(impl)


# Of settings 0 and 4, which differ in rate and decay, and of others; member 3 rests.
NEIGHBOURS = [
    ([0, 0, 0, 0, 0], 256, [3, 1]),
    ([0, 4, 4, 0, 4], 256, [1, 2, 1]),
    ([0, 4, 4, 0, 4], 0, [3, 1]),
    ([0, 4, 1, 1, 2, 0], 0, [2, 1, 1, 1]),
]


@pytest.mark.parametrize(("members", "many", "calls"), NEIGHBOURS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_neighbours_are_stepped_together(monkeypatch, members, many, calls, dtype):
    monkeypatch.setattr(eager, "MANY", many)
    seen, fused = [], torch._fused_adamw_
    monkeypatch.setattr(
        torch, "_fused_adamw_", lambda p, *a, **k: seen.append(len(p[0])) or fused(p, *a, **k)
    )
    h = cases.hyper([4] * 5, dtype)
    for t in (h.beta1, h.beta2, h.eps):
        t[4] = t[0]
    h = AdamWHyper(*(t[members] for t in h))
    K, active = len(members), torch.ones(len(members), dtype=torch.bool)
    active[3] = False
    p, m, v = cases.start(K, 37, dtype)
    g = cases.gradients(K, 37, 1)[0].to(dtype)
    expected = [t.clone() for t in (p, m, v)]
    cases.adamw_step(p, g, m, v, h, active)
    assert seen == calls
    cases.adamw_step(expected[0], g, *expected[1:], h, active, impl="reference")
    rtol = 1e-12 if dtype == torch.float64 else 1e-6
    torch.testing.assert_close([p, m, v], expected, rtol=rtol, atol=rtol * 0.1)


def test_compiles_without_breaks():
    """What auto stands for is open to the compiler, and rounds as the reference does."""
    g, h = cases.gradients(3, 7, 1)[0], cases.hyper([1, 2, 3])
    run = torch.compile(adamw_step, backend="aot_eager", fullgraph=True)
    found = []
    for step, impl in ((adamw_step, "reference"), (run, "auto")):
        p, m, v = cases.start(3, 7)
        step([p], [g], [m], [v], h, torch.tensor([True, False, True]), impl=impl)
        found.append([p, m, v])
    for plain, compiled in zip(*found, strict=True):
        assert torch.equal(plain, compiled)


def test_what_a_compiler_cannot_see_through_is_not_chosen_in_compiled_functions(monkeypatch):
    monkeypatch.setattr(choice, "TRITON", True)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    for device in ("cpu", "cuda"):
        assert implementation("auto", device, torch.float32) == "reference"
    with pytest.raises(ValueError, match=r"not available here; choose one of auto, reference$"):
        implementation("triton", "cuda", torch.float32)


def test_the_choice_has_a_name(monkeypatch):
    assert implementation("auto", "cpu", torch.float32) == "eager"
    assert implementation("reference", "cpu", torch.float32) == "reference"
    monkeypatch.setattr(choice, "TRITON", True)
    assert implementation("auto", "cuda", torch.float64) == "triton"
    monkeypatch.setattr(choice, "TRITON", False)
    assert implementation("auto", "cuda", torch.float32) == "reference"
    with pytest.raises(ValueError, match=r"not available here; choose one of auto, reference$"):
        implementation("triton", "cuda", torch.float32)


WRONG = {
    r"parameters should be float32 or float64, got torch.bfloat16": {
        "parameters": [torch.zeros(3, 4).bfloat16()]
    },
    r"gradients should be torch.float32 \(3, 4\) on cpu, got torch.float32 \(3, 2\) on cpu": {
        "gradients": [torch.zeros(3, 2)]
    },
    r"first should be torch.float32 \(3, 4\) on cpu, got torch.bfloat16": {
        "first": [torch.zeros(3, 4).bfloat16()]
    },
    r"second should be of contiguous rows, got strides \(1, 3\)": {"second": [torch.zeros(4, 3).T]},
    r"parameters should be one tensor at least, got none": {"parameters": []},
    r"first should be 1 tensors, got 2": {"first": [torch.zeros(3, 4)] * 2},
    r"active should be torch.bool \(3,\) on cpu, got torch.bool \(2,\)": {
        "active": torch.ones(2, dtype=torch.bool)
    },
    r"lr should be torch.float32 \(3,\) on cpu, got torch.float64 \(3,\)": {
        "hyper": cases.hyper([1, 1, 1])
    },
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses_what_does_not_fit(message):
    p = torch.zeros(3, 4)
    given = {name: [p] for name in ("parameters", "gradients", "first", "second")}
    given |= {"hyper": cases.hyper([1, 1, 1], torch.float32)}
    given |= {"active": torch.ones(3, dtype=torch.bool)}
    with pytest.raises(ValueError, match=f"adamw_step: {message}"):
        adamw_step(**{**given, **WRONG[message]})
