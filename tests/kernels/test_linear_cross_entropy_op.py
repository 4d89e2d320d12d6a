"""The loss as an operator: gradients, compilers, the choice of an implementation, refusals."""

import subprocess
import sys

import pytest
import torch
from torch.library import opcheck

from geomem.kernels import Targets, choice, linear_cross_entropy, ones_like_losses
from geomem.kernels.linear_cross_entropy import implementation, op
from tests.kernels.loss_cases import inputs, ours, several

both = pytest.mark.parametrize("impl", ["reference", "eager", "dense"])


@both
@pytest.mark.parametrize("kind", ["hard", "several"])
def test_gradcheck_in_double(kind, impl):
    x, e, t = inputs(2, 4, 6, 3, torch.float64)
    t[0, 1] = -1
    t = several(2, 4, 6) if kind == "several" else t
    x.requires_grad_(), e.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, b: linear_cross_entropy(a, b, t, impl=impl).loss, (x, e)
    )


@both
def test_losses_may_weigh_differently(impl):
    """A plain sum of losses takes a short cut, which others must not."""
    x, e, t = inputs(3, 6, 9, 4, torch.float32)
    _, dx, de = ours(x, e, t, impl=impl)
    x.requires_grad_(), e.requires_grad_()
    loss = linear_cross_entropy(x, e, t, impl=impl).loss
    for scale in (torch.tensor([1.0, 2.0, 0.0]), torch.tensor(0.5).expand(3), torch.ones(3)):
        found = torch.autograd.grad(loss, (x, e), scale, retain_graph=True)
        for a, b in zip(found, (dx, de), strict=True):
            torch.testing.assert_close(a, b * scale[:, None, None])
    for k in range(3):
        (found,) = torch.autograd.grad(loss[k], x, retain_graph=True)
        assert torch.equal(found[k], dx[k])
        assert not found[torch.arange(3) != k].any()


def test_the_gradient_of_their_sum_is_known_without_a_look(monkeypatch):
    x, e, t = inputs(3, 6, 9, 4, torch.float32)
    _, dx, _ = ours(x, e, t, impl="eager")
    loss = linear_cross_entropy(x.requires_grad_(), e, t, impl="eager").loss
    seen, scaled = [], op._scaled
    monkeypatch.setattr(op, "_scaled", lambda ctx, grad: seen.append(grad) or scaled(ctx, grad))
    monkeypatch.setattr(op, "float", lambda _: pytest.fail("looked"), raising=False)
    ones = ones_like_losses(loss)
    assert torch.equal(ones, torch.ones(3))
    (found,) = torch.autograd.grad(loss, x, ones, retain_graph=True)
    assert torch.equal(found, dx)
    torch.autograd.grad(loss, x, torch.ones(3))  # which are three numbers, and might be others
    assert seen[0] is None
    assert torch.equal(seen[1], torch.ones(3))


@both
@pytest.mark.parametrize("wanted", [0, 1])
def test_only_gradients_that_are_wanted_are_made(wanted, impl):
    x, e, t = inputs(2, 6, 9, 4, torch.float32)
    both = ours(x, e, t, impl=impl)[1:]
    (x, e)[wanted].requires_grad_()
    loss = linear_cross_entropy(x, e, t, impl=impl).loss.sum()
    (found,) = torch.autograd.grad(loss, (x, e)[wanted])
    assert torch.equal(found, both[wanted])
    assert loss.grad_fn.next_functions[0][0].next_functions[1 - wanted][0] is None


@both
def test_evaluation_keeps_no_graph(impl):
    x, e, t = inputs(1, 3, 5, 4, torch.float32)
    with torch.no_grad():
        result = linear_cross_entropy(x.requires_grad_(), e.requires_grad_(), t, impl=impl)
    assert not result.loss.requires_grad


@both
def test_no_rows_and_no_members(impl):
    for K, N in ((2, 0), (0, 3)):
        x, e, t = inputs(K, N, 5, 4, torch.float32)
        result, _, de = ours(x, e, t, impl=impl)
        assert result.loss.shape == (K,)
        assert not de.any()


@both
@pytest.mark.parametrize("metrics", [False, True])
def test_operator(metrics, impl):
    x, e, t = inputs(2, 5, 9, 4, torch.float32)
    x.requires_grad_(), e.requires_grad_()
    targets = several(2, 5, 9)
    weights, sizes = torch.rand(2, 5), torch.tensor([9, 8])
    for lists in ((None, t, None), targets):
        arguments = x, e, *lists, weights, sizes, metrics, metrics, True, True, impl
        opcheck(op.linear_cross_entropy, arguments)


@both
def test_under_a_compiler(impl):
    x, e, t = inputs(2, 5, 9, 4, torch.float32)
    x.requires_grad_(), e.requires_grad_()

    def loss(x, e):
        return linear_cross_entropy(2 * x, e, t, impl=impl).loss.sum()

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    expected = torch.autograd.grad(loss(x, e), (x, e))
    for a, b in zip(torch.autograd.grad(compiled(x, e), (x, e)), expected, strict=True):
        assert torch.equal(a, b)


@both
def test_second_derivatives_are_refused(impl):
    x, e, t = inputs(1, 3, 5, 4, torch.float32)
    x.requires_grad_()
    loss = linear_cross_entropy(x, e, t, impl=impl).loss.sum()
    with pytest.raises(RuntimeError, match="second derivatives"):
        torch.autograd.grad(loss, x, create_graph=True)


def test_importing_the_op_needs_no_triton():
    code = (
        "import sys; sys.modules['triton'] = None; import geomem.kernels as k, torch;"
        "x = torch.ones(1, 1, 1); k.linear_cross_entropy(x, x, torch.zeros(1, 1, dtype=int))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = (
        "import sys, geomem.kernels as k, torch;"
        "x = torch.ones(1, 1, 1); k.linear_cross_entropy(x, x, torch.zeros(1, 1, dtype=int));"
        "assert 'triton' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_quickest_that_can_run_is_chosen(monkeypatch):
    monkeypatch.setattr(choice, "TRITON", True)
    assert implementation("auto", "cuda", torch.bfloat16) == "triton"
    assert implementation("reference", "cuda", torch.bfloat16) == "reference"
    assert implementation("auto", "cuda", torch.float16) == "reference"
    assert implementation("auto", "cpu", torch.float32) == "eager"
    alternatives = "not available here; choose one of auto, reference, dense"
    with pytest.raises(ValueError, match=f"{alternatives}$"):
        implementation("triton", "cuda", torch.float64)
    with pytest.raises(ValueError, match=f"{alternatives}, eager$"):
        implementation("triton", "cpu", torch.float32)
    with pytest.raises(ValueError, match=f"{alternatives}, triton$"):
        implementation("eager", "cuda", torch.bfloat16)
    monkeypatch.setattr(choice, "TRITON", False)
    assert implementation("auto", "cuda", torch.bfloat16) == "reference"
    x, e, t = inputs(1, 3, 5, 4, torch.float32)
    with pytest.raises(ValueError, match="impl='triton' is not available here"):
        linear_cross_entropy(x, e, t, impl="triton")


def test_refuses_what_does_not_fit():
    x, e, t = inputs(2, 3, 5, 4, torch.float32)
    with pytest.raises(ValueError, match="differ in K or D"):
        linear_cross_entropy(x, e[:, :, :3], t)
    with pytest.raises(ValueError, match=r"targets \(2, 2\) should be \(2, 3\)"):
        linear_cross_entropy(x, e, t[:, :2])
    with pytest.raises(ValueError, match="choose one of auto, reference, dense"):
        linear_cross_entropy(x, e, t, impl="fast")
    with pytest.raises(
        ValueError, match=r"one float dtype, .* got torch.float32 and torch.float64"
    ):
        linear_cross_entropy(x, e.double(), t)
    with pytest.raises(ValueError, match=r"row_weights \(2, 2\) should be \(2, 3\)"):
        linear_cross_entropy(x, e, t, row_weights=torch.ones(2, 2))
    with pytest.raises(ValueError, match=r"vocab_sizes \(3,\) should be \(2,\)"):
        linear_cross_entropy(x, e, t, vocab_sizes=torch.ones(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="of one shape \\[K, M\\]"):
        linear_cross_entropy(x, e, Targets(t, t, t[:, :2]))
