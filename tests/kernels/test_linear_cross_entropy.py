"""The loss against an fp64 formulation with all logits; K members, N rows, V tokens, D width."""

import pytest
import torch

from geomem.kernels import Targets
from geomem.kernels.linear_cross_entropy import workspace
from tests.closeness import assert_as_good, assert_close
from tests.kernels.loss_cases import inputs, memorised, ours, several, textbook

SHAPES = [
    (1, 1, 1, 1),  # nothing to choose from
    (3, 1, 17, 8),  # one row
    (2, 19, 26, 32),  # a tiny graph
    (2, 70, 313, 48),  # ragged against every block size
    (1, 40, 20_001, 16),  # a large vocabulary
]
IMPLEMENTATIONS = ("reference", "eager", "dense")
pytestmark = pytest.mark.parametrize("impl", IMPLEMENTATIONS)


@pytest.mark.parametrize("kind", ["hard", "several"])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_matches_the_plain_formulation(shape, kind, impl):
    K, N, V, _ = shape
    x, e, t = inputs(*shape, torch.float32)
    t[:, ::3] = -1 if N > 1 else t[:, ::3]
    t = several(K, N, V) if kind == "several" else t
    weights = torch.rand(K, N) + 0.5 if kind == "several" else None
    loss, dx, de, logits = textbook(x, e, t, weights)
    result, ours_dx, ours_de = ours(x, e, t, row_weights=weights, impl=impl)
    assert_close(result.loss, loss, 1e-6)
    assert_close(ours_dx, dx, 1e-5)
    assert_close(ours_de, de, 1e-5)
    assert_close(result.lse, logits.logsumexp(-1), 1e-6)
    for minus_one in (result.argmax, result.rank, result.ties):
        assert (minus_one == -1).all()


@pytest.mark.parametrize("kind", ["hard", "several"])
def test_a_single_token_costs_nothing(kind, impl):
    x, e, t = inputs(*SHAPES[0], torch.float64)
    t = several(1, 1, 1) if kind == "several" else t
    result, dx, de = ours(x, e, t, impl=impl)
    assert result.loss.item() == dx.item() == de.item() == 0


@pytest.mark.parametrize("kind", ["hard", "several"])
@pytest.mark.parametrize("members", [0, 2])
def test_chunks_of_rows_and_members_change_nothing(monkeypatch, members, kind, impl):
    x, e, t = inputs(5, 37, 29, 8, torch.float64)
    t = several(5, 37, 29) if kind == "several" else t
    sizes = torch.tensor([29, 29, 28, 29, 29])
    options = {"vocab_sizes": sizes, "row_weights": torch.rand(5, 37).double(), "impl": impl}
    t = t._replace(token=t.token.clamp(max=27)) if kind == "several" else t.clamp(max=27)
    whole = ours(x, e, t, **options)
    chunk = members * 29 * 37 or 5 * 29
    monkeypatch.setattr(workspace, "CPU_LOGITS", chunk)
    monkeypatch.setattr(workspace, "CPU_ROWS", 1)
    parts = ours(x, e, t, **options)
    for a, b in zip((*whole[0], *whole[1:]), (*parts[0], *parts[1:]), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_several_weighted_targets_per_row(impl):
    x, e, _ = inputs(2, 5, 11, 8, torch.float32)
    row = torch.tensor([[0, 0, 0, 2, 3, 3, 4], [1, 1, 2, 3, 4, -1, -1]])
    token = torch.tensor([[1, 5, 7, 0, 2, 10, 9], [3, 4, 4, 5, 6, 0, 0]])
    weight = torch.tensor([[1, 2, 0.5, 1, 0, 3, 1], [1, 1, 2, 1, 1, 0, 0]])
    targets = Targets(row, token, weight)
    weights = torch.rand(2, 5) + 0.5
    loss, dx, de, _ = textbook(x, e, targets, weights)
    result, ours_dx, ours_de = ours(x, e, targets, row_weights=weights, impl=impl)
    assert_close(result.loss, loss, 1e-6)
    assert_close(ours_dx, dx, 1e-5)
    assert_close(ours_de, de, 1e-5)


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_hard_targets_equal_single_weighted_ones(weight, impl):
    x, e, t = inputs(2, 6, 11, 8, torch.float64)
    row = torch.arange(6).expand(2, -1).contiguous()
    single = Targets(row, t, torch.full((2, 6), weight).double())
    hard, soft = ours(x, e, t, impl=impl), ours(x, e, single, impl=impl)
    for name in ("loss", "lse"):
        torch.testing.assert_close(getattr(hard[0], name), getattr(soft[0], name))
    torch.testing.assert_close(weight * hard[0].row_loss, soft[0].row_loss)
    for a, b in zip(hard[1:], soft[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_padded_vocabulary_is_masked(impl):
    x, e, t = inputs(3, 9, 20, 8, torch.float64)
    sizes = torch.tensor([20, 13, 7])
    t = t % sizes[:, None]
    loss, dx, de, _ = textbook(x, e, t, vocab_sizes=sizes)
    result, ours_dx, ours_de = ours(x, e, t, vocab_sizes=sizes, impl=impl)
    assert_close(result.loss, loss, 1e-12)
    assert_close(ours_dx, dx, 1e-12)
    assert_close(ours_de, de, 1e-12)
    assert ours_de[1, 13:].abs().max() == 0
    alone, *_ = ours(x[2:], e[2:, :7], t[2:], impl=impl)
    torch.testing.assert_close(alone.loss, result.loss[2:], rtol=1e-12, atol=0)


@pytest.mark.parametrize("probability", [0.5, 0.999, 0.9998])
def test_keeps_the_gradient_of_memorised_facts(probability, impl):
    x, e, t = memorised(2, 64, 500, 48, torch.float32, probability)
    loss, dx, de, logits = textbook(x, e, t)
    reached = (logits.softmax(-1).gather(2, t[..., None])).median()
    assert reached > probability - 0.2
    result, ours_dx, ours_de = ours(x, e, t, impl=impl)
    assert_close(result.loss, loss, 1e-4)
    assert_close(ours_dx, dx, 1e-4)
    assert_close(ours_de, de, 1e-4)


def test_gradient_of_one_minus_p_survives_where_fp32_probabilities_are_one(impl):
    """At a gap of 40 nats even fp64 rounds p to 1; the small numbers are known in closed form."""
    x, e, t = torch.tensor([[[40.0, 0, 0, 0]]]), torch.eye(4)[None], torch.tensor([[0]])
    small = torch.tensor(-40.0).double().exp()
    result, dx, _ = ours(x, e, t, impl=impl)
    assert_close(result.loss, 3 * small[None], 1e-6)
    assert_close(dx, small * torch.tensor([[[-3.0, 1, 1, 1]]]).double(), 1e-6)


@pytest.mark.parametrize("kind", ["hard", "several"])
def test_scores_further_apart_than_the_range_of_floats(kind, impl):
    """The second member alone: its neighbours do not change, not by a bit."""
    x, e, t = inputs(3, 20, 50, 16, torch.float32)
    t = several(3, 20, 50) if kind == "several" else t
    calm = ours(x, e, t, impl=impl)
    x[1] *= 60
    logits = x[1].double() @ e[1].double().mT
    assert (logits.amax(1) - logits.amin(1)).max() > 300
    loss, dx, de, _ = textbook(x, e, t)
    result, ours_dx, ours_de = ours(x, e, t, impl=impl)
    assert_close(result.loss, loss, 1e-6)
    assert_close(ours_dx, dx, 1e-5)
    assert_close(ours_de, de, 1e-5)
    pairs = ((result.loss, calm[0].loss), (ours_dx, calm[1]), (ours_de, calm[2]))
    for found, before in pairs:
        assert torch.equal(found[::2], before[::2])


@pytest.mark.parametrize("kind", ["hard", "several"])
@pytest.mark.parametrize("gap", [50, 70, 80, 84, 87, 100])
def test_targets_far_below_the_best_keep_their_gradient_where_denormals_are_flushed(
    gap, kind, impl
):
    K, N, V = 2, 300, 4
    e = torch.eye(V).expand(K, V, V)
    x, t = torch.zeros(K, N, V), torch.ones(K, N, dtype=torch.int64)
    x[:, :, 0] = gap
    rows = torch.arange(N).expand(K, N).contiguous()
    t = Targets(rows, t, torch.full((K, N), 2.0)) if kind == "several" else t
    loss, dx, de, _ = textbook(x, e, t)
    torch.set_flush_denormal(True)
    try:
        result, ours_dx, ours_de = ours(x, e, t, impl=impl)
    finally:
        torch.set_flush_denormal(False)
    assert_close(result.loss, loss, 1e-6)
    assert_close(ours_dx, dx, 1e-5)
    assert_close(ours_de, de, 1e-5)


def test_nothing_counts(impl):
    x, e, t = inputs(2, 5, 9, 4, torch.float32)
    none, lists = torch.full_like(t, -1), Targets(t[:, :3] * 0 - 1, t[:, :3], x[:, :3, 0].abs())
    for targets, weights in ((none, None), (lists, None), (t, torch.zeros(2, 5))):
        result, dx, de = ours(x, e, targets, row_weights=weights, impl=impl)
        assert not any(found.any() for found in (result.loss, result.row_loss, dx, de))


@pytest.mark.parametrize("kind", ["hard", "several"])
def test_member_alone_equals_member_in_a_stack_to_the_bit(kind, impl):
    if impl == "dense":
        pytest.skip("how its exponentials are rounded is the compiler's affair")
    x, e, t = inputs(30, 3, 5, 8, torch.float32)  # less than a vector of a processor
    t = several(30, 3, 5) if kind == "several" else t
    result, dx, de = ours(x, e, t, impl=impl)
    for k in range(30):
        own = Targets(*(v[k : k + 1] for v in t)) if kind == "several" else t[k : k + 1]
        alone, alone_dx, alone_de = ours(x[k : k + 1], e[k : k + 1], own, impl=impl)
        for a, b in zip((*alone, alone_dx, alone_de), (*result, dx, de), strict=True):
            assert torch.equal(a, b[k : k + 1])


def test_bfloat16_sums_in_float32(impl):
    x, e, t = inputs(2, 40, 300, 16, torch.bfloat16)
    loss, dx, de, _ = textbook(x, e, t)
    _, eager_dx, eager_de, _ = textbook(x, e, t, dtype=torch.bfloat16)
    result, ours_dx, ours_de = ours(x, e, t, impl=impl)
    assert result.loss.dtype == torch.float32
    assert_close(result.loss, loss, 1e-6)
    assert_as_good(ours_dx, dx, eager_dx, torch.bfloat16)
    assert_as_good(ours_de, de, eager_de, torch.bfloat16)


def test_bfloat16_beside_a_float32_embedding_keeps_its_gradient_in_float32(impl):
    x, e, t = inputs(2, 40, 300, 16, torch.bfloat16)
    _, dx, de = ours(x, e.float(), t, impl=impl)
    assert (dx.dtype, de.dtype) == (torch.bfloat16, torch.float32)
    assert_close(de, textbook(x, e, t)[2], 1e-5)
