"""The loss's kernels on a real device: what neither the interpreter nor a compiler can tell."""

import pytest
import torch

from geomem.kernels import Targets, linear_cross_entropy
from geomem.kernels.linear_cross_entropy import workspace
from tests.closeness import assert_as_good, assert_close, relative_error
from tests.kernels.loss_cases import inputs, memorised, ours, several, textbook

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device; none is visible"
)

SHAPES = [
    (3, 1, 2, 1),  # tiny: the least there is to choose from
    (40, 18, 26, 32),  # tiny: a stack of tiny graphs
    (5, 64, 128, 98),  # tiny: the border; a width that is padded
    (2, 65, 128, 64),  # small: one row too many
    (3, 300, 200, 128),  # small
    (1, 500, 512, 64),  # small: the border
    (2, 5, 513, 24),  # large: one token too many
    (2, 700, 3000, 64),  # large: ragged
    (1, 129, 20_001, 384),  # large: a vocabulary of the paper
]
REGIMES = [(3, 30, 50, 32), (3, 200, 300, 64), (3, 200, 900, 64)]


def on_gpu(x, e, t):
    t = Targets(*(v.cuda() for v in t)) if isinstance(t, Targets) else t.cuda()
    return x.cuda(), e.cuda(), t


@pytest.fixture(autouse=True, scope="module")
def _no_tf32():
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["hard", "several"])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_double_precision(shape, kind, dtype):
    K, N, V, D = shape
    x, e, t = inputs(*shape, dtype, scale=min(1.0, 4 / D**0.5))
    t[:, 1::3] = -1
    t = several(K, N, V) if kind == "several" else t
    x, e, t = on_gpu(x, e, t)
    weights, sizes = torch.rand(K, N, device="cuda") + 0.5, torch.full((K,), V, device="cuda")
    options = {"row_weights": weights, "vocab_sizes": sizes}
    loss, dx, de, logits = textbook(x, e, t, **options)
    _, eager_dx, eager_de, _ = textbook(x, e, t, dtype=dtype, **options)
    result, ours_dx, ours_de = ours(x, e, t, metrics=True, impl="triton", **options)
    assert_close(result.loss, loss, 1e-5)
    assert_close(result.lse, logits.logsumexp(-1), 1e-5)
    assert_as_good(ours_dx, dx, eager_dx, dtype)
    assert_as_good(ours_de, de, eager_de, dtype)
    at_argmax = logits.gather(2, result.argmax[..., None])[..., 0]
    assert (logits.amax(-1) - at_argmax).max() < 1e-4
    reference = ours(x.double(), e.double(), t, metrics=True, impl="reference", **options)[0]
    agree = (result.rank == reference.rank).float().mean()
    assert agree > 0.99  # two scores may differ by less than float32 resolves


@pytest.mark.parametrize("shape", [(2, 30, 100, 48), (1, 300, 500, 64), (1, 2500, 20_001, 384)])
@pytest.mark.parametrize("probability", [0.5, 0.999, 0.9998])
def test_keeps_the_gradient_of_memorised_facts(shape, probability):
    x, e, t = on_gpu(*memorised(*shape, torch.bfloat16, probability))
    loss, dx, de, _ = textbook(x, e, t)
    result, ours_dx, ours_de = ours(x, e, t, impl="triton")
    assert_close(result.loss, loss, 1e-4)
    assert_close(ours_dx, dx, 5e-3)
    assert_close(ours_de, de, 5e-3)


@pytest.mark.parametrize("V", [100, 500, 3000])
def test_scores_too_far_apart_for_one_scale(V):
    x, e, t = on_gpu(*inputs(2, 50, V, 16, torch.bfloat16, scale=30.0))
    loss, dx, de, _ = textbook(x, e, t)
    result, ours_dx, ours_de = ours(x, e, t, impl="triton")
    assert_close(result.loss, loss, 1e-5)
    assert_close(ours_dx, dx, 5e-3)
    assert_close(ours_de, de, 5e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("V", [60, 500, 3000])
def test_equal_embeddings_tie(V, dtype):
    """A target's score comes from another product than the others', yet has to round like them."""
    x, e, t = on_gpu(*inputs(2, 40, V, 200, dtype))
    assert (ours(x, e, t, metrics=True, impl="triton")[0].ties == 0).all()
    e[:, V // 2 :] = e[:, : V // 2]
    assert (ours(x, e, t, metrics=True, impl="triton")[0].ties == 1).all()


@pytest.mark.parametrize("shape", REGIMES)
@pytest.mark.parametrize("kind", ["hard", "several"])
def test_repeats_bit_for_bit(shape, kind):
    x, e, t = inputs(*shape, torch.bfloat16)
    arguments = on_gpu(x, e, several(*shape[:3]) if kind == "several" else t)
    first, *rest = ([*r, dx, de] for r, dx, de in (ours(*arguments) for _ in range(5)))
    for other in rest:
        for a, b in zip(first, other, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("shape", REGIMES)
def test_member_alone_equals_member_in_a_stack(shape):
    x, e, t = on_gpu(*inputs(*shape, torch.float32))
    result, dx, de = ours(x, e, t)
    for k in range(shape[0]):
        alone, alone_dx, alone_de = ours(x[k : k + 1], e[k : k + 1], t[k : k + 1])
        for a, b in ((alone.loss, result.loss), (alone_dx, dx), (alone_de, de)):
            assert relative_error(a, b[k : k + 1]) < 1e-5


def test_thousands_of_tiny_members():
    x, e, t = on_gpu(*inputs(4096, 16, 32, 32, torch.float32))
    _, dx, de = ours(x.double(), e.double(), t, impl="reference")
    _, ours_dx, ours_de = ours(x, e, t)
    assert_close(ours_dx, dx, 1e-5)
    assert_close(ours_de, de, 1e-5)


@pytest.mark.parametrize("kind", ["hard", "several"])
@pytest.mark.parametrize("shape", REGIMES)
def test_neither_waits_for_the_device_nor_resists_capture(shape, kind):
    x, e, t = inputs(*shape, torch.bfloat16)
    x, e, t = on_gpu(x, e, several(*shape[:3]) if kind == "several" else t)
    x, e = x.requires_grad_(), e.requires_grad_()

    def step():
        result = linear_cross_entropy(x, e, t, metrics=True)
        return *result, *torch.autograd.grad(result.loss.sum(), (x, e))

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        step()
        torch.cuda.set_sync_debug_mode("error")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    with torch.no_grad():
        x.mul_(1.5)
    graph.replay()
    first = [v.clone() for v in captured]
    graph.replay()
    for a, again, eager in zip(first, captured, step(), strict=True):
        assert torch.equal(a, again)
        torch.testing.assert_close(a, eager, rtol=1e-2, atol=1e-5)


def test_a_row_may_have_thousands_of_targets():
    """The root of a large star, in one row of a full batch."""
    V = 20_001
    x, e, _ = inputs(1, 300, V, 64, torch.bfloat16, scale=0.2)
    root = torch.randperm(V, generator=torch.Generator().manual_seed(0))[:10_000]
    row = torch.cat([torch.zeros(10_000, dtype=torch.int64), torch.arange(1, 300)])[None]
    token = torch.cat([root, torch.arange(1, 300)])[None]
    x, e, t = on_gpu(x, e, Targets(row, token, torch.ones(row.shape)))
    loss, dx, de, _ = textbook(x, e, t)
    result, ours_dx, ours_de = ours(x, e, t)
    assert_close(result.loss, loss, 1e-5)
    assert_close(ours_dx, dx, 5e-3)
    assert_close(ours_de, de, 5e-3)


@pytest.mark.parametrize("floor", [workspace.FLOOR, 2300])
def test_a_million_tokens_within_the_workspace(monkeypatch, floor):
    """Of 2300 rows more than 2^31 exponentials; memory beside inputs and outputs as planned."""
    N, V, D = 2300, 1_000_000, 64
    monkeypatch.setattr(workspace, "FLOOR", floor)
    x = torch.randn(1, N, D, device="cuda", dtype=torch.bfloat16)
    e = torch.randn(1, V, D, device="cuda", dtype=torch.bfloat16) / 4
    t = torch.randint(V, (1, N), device="cuda")
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    result, _, de = ours(x, e.float(), t)
    peak = torch.cuda.max_memory_allocated() - before
    chunk = floor * workspace.padded(V) * 2
    assert peak < 1.1 * chunk + 6 * V * D * 4
    rows = torch.randint(N, (20,), device="cuda")
    z = x[0, rows].double() @ e[0].double().mT
    assert_close(result.lse[0, rows], z.logsumexp(-1), 1e-5)
    columns = torch.randint(V, (50,), device="cuda")
    columns[0] = V - 1
    p = (x[0].double() @ e[0, columns].double().mT - result.lse[0][:, None].double()).exp()
    p -= (t[0][:, None] == columns).double()
    assert_close(de[0, columns], p.mT @ x[0].double() / N, 1e-2)


def test_under_a_compiler():
    x, e, t = on_gpu(*inputs(*REGIMES[0], torch.float32))
    x.requires_grad_(), e.requires_grad_()

    def loss(x, e):
        return linear_cross_entropy(2 * x, e, t).loss.sum()

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    expected = torch.autograd.grad(loss(x, e), (x, e))
    for a, b in zip(torch.autograd.grad(compiled(x, e), (x, e)), expected, strict=True):
        assert torch.equal(a, b)
