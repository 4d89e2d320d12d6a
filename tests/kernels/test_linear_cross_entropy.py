"""The loss against an fp64 formulation with all logits; K members, N rows, V tokens, D width."""

import pytest
import torch
from torch.nn import functional as F

from geomem.kernels import Targets, linear_cross_entropy
from geomem.kernels.linear_cross_entropy import reference
from tests.closeness import assert_close


def _inputs(K, N, V, D, dtype, scale=1.0, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(K, N, D, generator=g, dtype=torch.float64) * scale
    e = torch.randn(K, V, D, generator=g, dtype=torch.float64)
    t = torch.randint(V, (K, N), generator=g)
    return x.to(dtype), e.to(dtype), t


def _memorised(K, N, V, D, dtype, probability=0.9998):
    """Hidden states that point at their target so that its probability is about as asked."""
    _, e, t = _inputs(K, N, V, D, torch.float64)
    e = F.normalize(e, dim=2)
    x = e.gather(1, t[..., None].expand(-1, -1, D))
    scale = torch.tensor(V * probability / (1 - probability)).log() * 1.4
    return (x * scale).to(dtype), e.to(dtype), t


def _plain(x, e, targets, row_weights=None, vocab_sizes=None):
    """Loss and gradients in fp64, the way a textbook writes them."""
    x, e = (v.detach().double().requires_grad_() for v in (x, e))
    logits = x @ e.mT
    if vocab_sizes is not None:
        tail = torch.arange(e.shape[1]) >= vocab_sizes[:, None, None]
        logits = logits.masked_fill(tail, -torch.inf)
    nll = -logits.log_softmax(-1)
    w = torch.ones(x.shape[:2]).double() if row_weights is None else row_weights.double()
    losses = []
    for k in range(x.shape[0]):
        if isinstance(targets, Targets):
            used = targets.row[k] >= 0
            row, token = targets.row[k][used], targets.token[k][used]
            q = targets.weight[k][used].double() * w[k, row]
        else:
            used = targets[k] >= 0
            row, token, q = used.nonzero()[:, 0], targets[k][used], w[k][used]
        losses.append((q * nll[k, row, token]).sum() / q.sum())
    loss = torch.stack(losses)
    dx, de = torch.autograd.grad(loss.sum(), (x, e))
    return loss.detach(), dx, de, logits.detach()


def _ours(x, e, targets, **kwargs):
    x, e = (v.detach().clone().requires_grad_() for v in (x, e))
    result = linear_cross_entropy(x, e, targets, **kwargs)
    dx, de = torch.autograd.grad(result.loss.sum(), (x, e))
    return result, dx, de


SHAPES = [
    (1, 1, 1, 1),  # nothing to choose from
    (3, 1, 17, 8),  # one row
    (2, 19, 26, 32),  # a tiny graph
    (2, 70, 313, 48),  # ragged against every block size
    (1, 40, 20_001, 16),  # a large vocabulary
]


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_matches_the_plain_formulation(shape):
    x, e, t = _inputs(*shape, torch.float32)
    t[:, ::3] = -1 if shape[1] > 1 else t[:, ::3]
    loss, dx, de, logits = _plain(x, e, t)
    result, ours_dx, ours_de = _ours(x, e, t, metrics=True)
    assert_close(result.loss, loss, 1e-6)
    assert_close(ours_dx, dx, 1e-5)
    assert_close(ours_de, de, 1e-5)
    assert_close(result.lse, logits.logsumexp(-1), 1e-6)
    assert torch.equal(result.argmax, logits.argmax(-1))


def test_a_single_token_costs_nothing():
    x, e, t = _inputs(*SHAPES[0], torch.float64)
    result, dx, de = _ours(x, e, t)
    assert result.loss.item() == dx.item() == de.item() == 0


def test_chunks_of_rows_change_nothing(monkeypatch):
    x, e, t = _inputs(2, 37, 29, 8, torch.float64)
    whole = _ours(x, e, t, metrics=True)
    monkeypatch.setattr(reference, "CHUNK_LOGITS", 2 * 29 * 5)
    parts = _ours(x, e, t, metrics=True)
    for a, b in zip((*whole[0], *whole[1:]), (*parts[0], *parts[1:]), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("chunk", [1 << 20, 60])
def test_several_weighted_targets_per_row(monkeypatch, chunk):
    monkeypatch.setattr(reference, "CHUNK_LOGITS", chunk)
    x, e, _ = _inputs(2, 5, 11, 8, torch.float32)
    row = torch.tensor([[0, 0, 0, 2, 3, 3, 4], [1, 1, 2, 3, 4, -1, -1]])
    token = torch.tensor([[1, 5, 7, 0, 2, 10, 9], [3, 4, 4, 5, 6, 0, 0]])
    weight = torch.tensor([[1, 2, 0.5, 1, 1, 3, 1], [1, 1, 2, 1, 1, 0, 0]])
    targets = Targets(row, token, weight)
    weights = torch.rand(2, 5) + 0.5
    loss, dx, de, _ = _plain(x, e, targets, weights)
    result, ours_dx, ours_de = _ours(x, e, targets, row_weights=weights)
    assert_close(result.loss, loss, 1e-6)
    assert_close(ours_dx, dx, 1e-5)
    assert_close(ours_de, de, 1e-5)


def test_hard_targets_equal_single_weighted_ones():
    x, e, t = _inputs(2, 6, 11, 8, torch.float64)
    row = torch.arange(6).expand(2, -1).contiguous()
    single = Targets(row, t, torch.ones(2, 6).double())
    hard, soft = _ours(x, e, t, metrics=True), _ours(x, e, single, metrics=True)
    for a, b in zip((*hard[0], *hard[1:]), (*soft[0], *soft[1:]), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_padded_vocabulary_is_masked():
    x, e, t = _inputs(3, 9, 20, 8, torch.float64)
    sizes = torch.tensor([20, 13, 7])
    t = t % sizes[:, None]
    loss, dx, de, _ = _plain(x, e, t, vocab_sizes=sizes)
    result, ours_dx, ours_de = _ours(x, e, t, vocab_sizes=sizes)
    assert_close(result.loss, loss, 1e-12)
    assert_close(ours_dx, dx, 1e-12)
    assert_close(ours_de, de, 1e-12)
    assert ours_de[1, 13:].abs().max() == 0
    alone, *_ = _ours(x[2:], e[2:, :7], t[2:])
    torch.testing.assert_close(alone.loss, result.loss[2:], rtol=1e-12, atol=0)


@pytest.mark.parametrize("probability", [0.5, 0.999, 0.9998])
def test_keeps_the_gradient_of_memorised_facts(probability):
    x, e, t = _memorised(2, 64, 500, 48, torch.float32, probability)
    loss, dx, de, logits = _plain(x, e, t)
    reached = (logits.softmax(-1).gather(2, t[..., None])).median()
    assert reached > probability - 0.2
    result, ours_dx, ours_de = _ours(x, e, t)
    assert_close(result.loss, loss, 1e-4)
    assert_close(ours_dx, dx, 1e-4)
    assert_close(ours_de, de, 1e-4)


def test_gradient_of_one_minus_p_survives_where_fp32_probabilities_are_one():
    """At a gap of 40 nats even fp64 rounds p to 1; the small numbers are known in closed form."""
    x, e, t = torch.tensor([[[40.0, 0, 0, 0]]]), torch.eye(4)[None], torch.tensor([[0]])
    small = torch.tensor(-40.0).double().exp()
    result, dx, _ = _ours(x, e, t)
    assert_close(result.loss, 3 * small[None], 1e-6)
    assert_close(dx, small * torch.tensor([[[-3.0, 1, 1, 1]]]).double(), 1e-6)


def test_gradcheck_in_double():
    x, e, t = _inputs(2, 4, 6, 3, torch.float64)
    t[0, 1] = -1
    x.requires_grad_(), e.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: linear_cross_entropy(a, b, t).loss, (x, e))


def test_rank_counts_other_tokens_above_the_worst_target():
    e = torch.eye(5)[None].double()
    x = torch.tensor([[[5.0, 4, 3, 2, 1], [1, 1, 1, 0, 0], [3, 2, 1, 0, 0]]]).double()
    row, token = torch.tensor([[0, 0, 1]]), torch.tensor([[0, 2, 1]])
    result = linear_cross_entropy(
        x, e, Targets(row, token, torch.ones(1, 3).double()), metrics=True
    )
    assert result.rank.tolist() == [[1, 0, -1]]  # token 1 stands between the two targets of row 0
    assert result.ties.tolist() == [[0, 2, -1]]
    assert result.row_loss[0, 2] == 0


def test_member_alone_equals_member_in_a_stack():
    x, e, t = _inputs(4, 30, 40, 16, torch.float32)
    result, dx, de = _ours(x, e, t)
    for k in range(4):
        alone, alone_dx, alone_de = _ours(x[k : k + 1], e[k : k + 1], t[k : k + 1])
        assert_close(alone.loss, result.loss[k : k + 1].double(), 1e-6)
        assert_close(alone_dx, dx[k : k + 1].double(), 1e-6)
        assert_close(alone_de, de[k : k + 1].double(), 1e-6)


def test_evaluation_keeps_no_graph():
    x, e, t = _inputs(1, 3, 5, 4, torch.float32)
    with torch.no_grad():
        result = linear_cross_entropy(x.requires_grad_(), e.requires_grad_(), t)
    assert not result.loss.requires_grad


def test_refuses_what_does_not_fit():
    x, e, t = _inputs(2, 3, 5, 4, torch.float32)
    with pytest.raises(ValueError, match="differ in K or D"):
        linear_cross_entropy(x, e[:, :, :3], t)
    with pytest.raises(ValueError, match=r"targets \(2, 2\) should be \(2, 3\)"):
        linear_cross_entropy(x, e, t[:, :2])
    with pytest.raises(ValueError, match="choose one of auto, reference"):
        linear_cross_entropy(x, e, t, impl="fast")
