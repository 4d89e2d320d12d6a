"""How the loss's kernels behave, whatever the numbers: layouts, chunks, members, repeats, ops."""

import pytest
import torch
from torch.library import opcheck

from geomem.kernels import Targets, linear_cross_entropy
from geomem.kernels.linear_cross_entropy import large, op, workspace
from tests.closeness import assert_close, relative_error
from tests.kernels.loss_cases import inputs, ours, several, textbook

REGIMES = [(3, 10, 20, 16), (3, 10, 200, 16), (3, 10, 600, 16)]  # tiny, small, large


def everything(x, e, t, **kwargs):
    result, dx, de = ours(x, e, t, metrics=True, impl="triton", **kwargs)
    return *result, dx, de


@pytest.mark.parametrize("shape", REGIMES)
@pytest.mark.parametrize("kind", ["hard", "several"])
def test_twice_the_same_call_gives_the_same_bits(shape, kind):
    x, e, t = inputs(*shape, torch.bfloat16)
    t = several(*shape[:3]) if kind == "several" else t
    for a, b in zip(everything(x, e, t), everything(x, e, t), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("shape", REGIMES)
@pytest.mark.parametrize("kind", ["hard", "several"])
def test_member_alone_equals_member_in_a_stack(shape, kind):
    x, e, t = inputs(*shape, torch.float32)
    t = several(*shape[:3]) if kind == "several" else t
    together = everything(x, e, t)
    for k in range(shape[0]):
        own = Targets(*(v[k : k + 1] for v in t)) if kind == "several" else t[k : k + 1]
        alone = everything(x[k : k + 1], e[k : k + 1], own)
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a, b[k : k + 1], rtol=1e-6, atol=1e-7)


def test_thousands_of_tiny_members_in_one_launch():
    x, e, t = inputs(4096, 2, 5, 4, torch.float32)
    expected, dx, de = ours(x.double(), e.double(), t, impl="reference")
    result, ours_dx, ours_de = ours(x, e, t, impl="triton")
    assert_close(result.loss.detach(), expected.loss.detach(), 1e-6)
    assert_close(ours_dx, dx, 1e-6)
    assert_close(ours_de, de, 1e-6)


@pytest.mark.parametrize("shape", REGIMES)
def test_members_may_lie_apart_in_an_arena_of_any_length(shape):
    """As a trainer holds them: a view [K, V, D] of [K, P], here with an odd P and offset."""
    (K, _, V, D), (x, e, t) = shape, inputs(*shape, torch.float32)
    arena = torch.full((K, V * D + 13), torch.nan)
    arena[:, 5 : 5 + V * D] = e.flatten(1)
    view = arena[:, 5 : 5 + V * D].unflatten(1, (V, D)).requires_grad_()
    x_view = x.mT.contiguous().mT  # rows not contiguous
    result = linear_cross_entropy(x_view.requires_grad_(), view, t, impl="triton", metrics=True)
    found = *result, *torch.autograd.grad(result.loss.sum(), (x_view, view))
    for a, b in zip(found, everything(x, e, t), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("V", "kind", "chunk"),  # members and rows at a time
    [
        (200, "hard", (2, 130)),
        (200, "several", (1, 128)),
        (520, "hard", (1, 128)),
        (520, "several", (2, 130)),
    ],
)
def test_chunks_of_rows_and_members_change_nothing(monkeypatch, V, kind, chunk):
    x, e, t = inputs(3, 130, V, 8, torch.float32)
    t = several(3, 130, V) if kind == "several" else t
    whole = everything(x, e, t)
    members, rows = chunk
    row_bytes = workspace.padded(V) * 4
    monkeypatch.setattr(workspace, "FLOOR", 128)
    monkeypatch.setattr(workspace, "LEAST", members * rows * row_bytes)
    assert next(workspace.chunks(3, 130, row_bytes)) == (0, members, 0, rows)
    for a, b in zip(everything(x, e, t), whole, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shape", REGIMES)
def test_evaluation_equals_training_and_keeps_no_graph(shape, monkeypatch):
    x, e, t = inputs(*shape, torch.float32)
    training = ours(x, e, t, metrics=True, impl="triton")[0]
    monkeypatch.setattr(large, "_train", None)  # would hold a chunk of the logits' size
    with torch.no_grad():
        result = linear_cross_entropy(x.requires_grad_(), e, t, metrics=True, impl="triton")
        plain = linear_cross_entropy(x, e, t, impl="triton")
    assert not result.loss.requires_grad
    for a, b in zip(result, training, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
    for minus_one in (plain.argmax, plain.rank, plain.ties):
        assert (minus_one == -1).all()


@pytest.mark.parametrize("shape", REGIMES)
@pytest.mark.parametrize("wanted", [0, 1])
def test_only_gradients_that_are_wanted_are_made(shape, wanted):
    x, e, t = inputs(*shape, torch.float32)
    both = ours(x, e, t, impl="triton")[1:]
    (x, e)[wanted].requires_grad_()
    loss = linear_cross_entropy(x, e, t, impl="triton").loss.sum()
    (found,) = torch.autograd.grad(loss, (x, e)[wanted])
    assert torch.equal(found, both[wanted])


@pytest.mark.parametrize("shape", REGIMES)
def test_bfloat16_beside_a_float32_embedding(shape):
    x, e, t = inputs(*shape, torch.bfloat16)
    _, dx, de = ours(x, e.float(), t, impl="triton")
    assert de.dtype == torch.float32
    assert dx.dtype == torch.bfloat16
    assert relative_error(de, ours(x, e, t, impl="triton")[2]) < 4e-3
    assert_close(de, textbook(x, e, t)[2], 4e-3)


@pytest.mark.parametrize("shape", REGIMES)
def test_a_diverged_member_leaves_its_neighbours_alone(shape):
    x, e, t = inputs(*shape, torch.float32)
    fine = everything(x, e, t)
    x[1] = torch.nan
    found = everything(x, e, t)
    for a, b in zip(found, fine, strict=True):
        torch.testing.assert_close(a[::2], b[::2], rtol=1e-6, atol=1e-7)
    result = found[:6]
    assert result[0][1].isnan()
    assert (result[4][1] > 0).all()  # no rank of a diverged row looks right


@pytest.mark.parametrize("shape", REGIMES)
def test_nothing_counts(shape):
    x, e, t = inputs(*shape, torch.float32)
    for targets in (torch.full_like(t, -1), Targets(t[:, :2] * 0 - 1, t[:, :2], x[:, :2, 0])):
        result, dx, de = ours(x, e, targets, impl="triton", metrics=True)
        assert not any(t.any() for t in (result.loss, dx, de))
        assert (result.rank == -1).all()
    result, dx, _ = ours(x, e, t, row_weights=x[..., 0] * 0, impl="triton")
    assert not any(t.any() for t in (result.loss, dx))


def test_no_rows_and_no_members():
    for K, N in ((2, 0), (0, 3)):
        x, e, t = inputs(K, N, 5, 4, torch.float32)
        result, _, de = ours(x, e, t, impl="triton")
        assert result.loss.shape == (K,)
        assert not de.any()


@pytest.mark.parametrize("shape", REGIMES)
@pytest.mark.parametrize("kind", ["hard", "several"])
def test_gradcheck_in_double(shape, kind):
    x, e, t = inputs(2, 3, *shape[2:], torch.float64)
    t = several(2, 3, shape[2]) if kind == "several" else t
    x.requires_grad_(), e.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, b: linear_cross_entropy(a, b, t, impl="triton").loss, (x, e), fast_mode=True
    )


@pytest.mark.parametrize("shape", REGIMES)
def test_operator(shape):
    x, e, t = inputs(*shape, torch.float32)
    x.requires_grad_(), e.requires_grad_()
    opcheck(
        op.linear_cross_entropy,
        (x, e, None, t, None, None, None, True, False, True, True, "triton"),
    )


def test_under_a_compiler():
    x, e, t = inputs(*REGIMES[0], torch.float32)
    x.requires_grad_(), e.requires_grad_()

    def loss(x, e):
        return linear_cross_entropy(2 * x, e, t, impl="triton").loss.sum()

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    expected = torch.autograd.grad(loss(x, e), (x, e))
    for a, b in zip(torch.autograd.grad(compiled(x, e), (x, e)), expected, strict=True):
        assert torch.equal(a, b)


def test_second_derivatives_are_refused():
    x, e, t = inputs(*REGIMES[0], torch.float32)
    x.requires_grad_()
    with pytest.raises(RuntimeError, match="second derivatives"):
        torch.autograd.grad(
            linear_cross_entropy(x, e, t, impl="triton").loss.sum(), x, create_graph=True
        )
