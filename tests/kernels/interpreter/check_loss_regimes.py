"""Every regime of the loss against fp64, on odd shapes, with every kind of target."""

import pytest
import torch

from geomem.kernels import Targets
from geomem.kernels.linear_cross_entropy import configs
from tests.closeness import assert_as_good, assert_close, relative_error
from tests.kernels.loss_cases import inputs, memorised, ours, ranks, several, textbook

TINY = [
    (3, 1, 2, 1),  # the least there is to choose from
    (2, 19, 26, 40),  # a tiny graph; width past one step of a product
    (2, 64, 128, 16),  # the border of the regime, exactly
]
SMALL = [
    (2, 65, 128, 16),  # one row too many for the tiny regime
    (1, 70, 129, 24),  # one token too many
    (2, 33, 300, 40),  # ragged
    (1, 16, 512, 16),  # the border
]
LARGE = [
    (2, 5, 513, 24),  # one token too many for the small regime
    (1, 130, 640, 40),  # five tiles exactly; rows past one block
    (1, 1, 1000, 70),  # one row
]


def regime_of(shape):
    return configs.regime(shape[1], shape[2])


def test_shapes_reach_their_regimes():
    assert {regime_of(s) for s in TINY} == {"tiny"}
    assert {regime_of(s) for s in SMALL} == {"small"}
    assert {regime_of(s) for s in LARGE} == {"large"}


def hold(x, e, t, **kwargs):
    """Everything against fp64; gradients as good as those of plain operations."""
    loss, dx, de, logits = textbook(x, e, t, **kwargs)
    _, eager_dx, eager_de, _ = textbook(x, e, t, dtype=x.dtype, **kwargs)
    result, ours_dx, ours_de = ours(x, e, t, impl="triton", metrics=True, **kwargs)
    assert_close(result.loss, loss, 2e-6)
    assert_close(result.lse, logits.logsumexp(-1), 2e-6)
    assert torch.equal(result.argmax, logits.argmax(-1))
    for found, expected in zip((result.rank, result.ties), ranks(logits, t), strict=True):
        assert torch.equal(found, expected)
    assert_as_good(ours_dx, dx, eager_dx, x.dtype)
    assert_as_good(ours_de, de, eager_de, x.dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", TINY + SMALL + LARGE)
def test_hard_targets(shape, dtype):
    x, e, t = inputs(*shape, dtype)
    if shape[1] > 1:
        t[:, ::3] = -1
    hold(x, e, t)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", TINY + SMALL + LARGE)
def test_several_weighted_targets(shape, dtype):
    K, N, V, _ = shape
    x, e, _ = inputs(*shape, dtype)
    weights = torch.rand(K, N, generator=torch.Generator().manual_seed(1)) + 0.5
    hold(x, e, several(K, N, V), row_weights=weights)


@pytest.mark.parametrize("shape", [(3, 19, 26, 16), (3, 66, 200, 16), (3, 10, 600, 16)])
@pytest.mark.parametrize("kind", ["hard", "several"])
def test_padded_vocabulary(shape, kind):
    K, N, V, _ = shape
    x, e, t = inputs(*shape, torch.float32)
    sizes = torch.tensor([V, V // 2 + 1, 4])
    t = several(K, N, 4) if kind == "several" else t % sizes[:, None]
    hold(x, e, t, vocab_sizes=sizes)
    _, _, de = ours(x, e, t, vocab_sizes=sizes, impl="triton")
    assert de[2, 4:].abs().max() == 0


@pytest.mark.parametrize("shape", [(2, 30, 100, 48), (1, 80, 500, 48), (1, 80, 700, 48)])
@pytest.mark.parametrize("probability", [0.5, 0.999, 0.9998])
def test_keeps_the_gradient_of_memorised_facts(shape, probability):
    """The case that bf16 softmax-minus-one-hot loses altogether."""
    x, e, t = memorised(*shape, torch.bfloat16, probability)
    loss, dx, de, logits = textbook(x, e, t)
    reached = logits.softmax(-1).gather(2, t[..., None]).median()
    assert reached > probability - 0.2
    assert relative_error(textbook(x, e, t, dtype=torch.bfloat16)[1], dx) > 5e-3
    result, ours_dx, ours_de = ours(x, e, t, impl="triton")
    assert_close(result.loss, loss, 1e-4)
    assert_close(ours_dx, dx, 5e-3)
    assert_close(ours_de, de, 5e-3)


@pytest.mark.parametrize("V", [4, 500, 700])
@pytest.mark.parametrize("kind", ["hard", "several"])
def test_gradient_of_one_minus_p_survives_where_fp32_probabilities_are_one(V, kind):
    """At a gap of 40 nats even fp64 rounds p to 1; the small numbers are known in closed form."""
    e = torch.zeros(1, V, 4)
    e[0, :4] = torch.eye(4)
    x, t = torch.tensor([[[40.0, 0, 0, 0]]]), torch.tensor([[0]])
    small = torch.tensor(-40.0).double().exp()
    t = Targets(t, t, torch.ones(1, 1)) if kind == "several" else t
    result, dx, _ = ours(x, e, t, impl="triton")
    assert_close(result.loss, (V - 1) * small[None], 1e-6)
    assert_close(dx, small * torch.tensor([[[1.0 - V, 1, 1, 1]]]).double(), 1e-6)


@pytest.mark.parametrize("V", [100, 500, 700])
def test_scores_too_far_apart_for_one_scale(V):
    """Targets hundreds of powers of two below the best: the large regime rescales its tiles."""
    x, e, t = inputs(2, 20, V, 16, torch.bfloat16, scale=30.0)
    t[:, ::4] = -1
    loss, dx, de, logits = textbook(x, e, t)
    gap = (logits.amax(-1) - logits.gather(2, t.clamp(min=0)[..., None])[..., 0]).max()
    assert gap > 300
    result, ours_dx, ours_de = ours(x, e, t, impl="triton")
    assert_close(result.loss, loss, 1e-5)
    assert_close(result.lse, logits.logsumexp(-1), 1e-5)
    assert_close(ours_dx, dx, 5e-3)
    assert_close(ours_de, de, 5e-3)


@pytest.mark.parametrize("V", [100, 500, 700])
def test_rows_without_a_target_have_a_log_sum_exp_too(V):
    x, e, t = inputs(1, 6, V, 8, torch.float32)
    e[..., 0], x[..., 0] = 20.0, -20.0  # all scores far below zero
    t[:, 1:] = -1
    result = ours(x, e, t, impl="triton")[0]
    assert_close(result.lse, (x.double() @ e.double().mT).logsumexp(-1), 1e-6)


@pytest.mark.parametrize("V", [7, 300, 600])
@pytest.mark.parametrize("kind", ["hard", "several"])
def test_ties_are_counted_apart(V, kind):
    """Scores of small integers are exact in any order, so that equal ones are equal."""
    g = torch.Generator().manual_seed(0)
    x, e = (torch.randint(-2, 3, s, generator=g).float() for s in ((2, 9, 3), (2, V, 3)))
    t = several(2, 9, V) if kind == "several" else torch.randint(V, (2, 9), generator=g)
    result, logits = ours(x, e, t, metrics=True, impl="triton")[0], x @ e.mT
    rank, ties = ranks(logits, t)
    assert ties.max() > 0
    assert torch.equal(result.rank, rank)
    assert torch.equal(result.ties, ties)
    assert torch.equal(result.argmax, logits.argmax(-1))


@pytest.mark.parametrize("V", [7, 300, 600])
@pytest.mark.parametrize("kind", ["hard", "several"])
def test_where_all_scores_tie_the_first_token_wins(V, kind):
    x, e, t = torch.zeros(1, 3, 4), torch.zeros(1, V, 4), torch.tensor([[0, 5, V - 1]])
    if kind == "several":
        t = Targets(torch.arange(3)[None], t, torch.ones(1, 3))
    result = ours(x, e, t, metrics=True, impl="triton")[0]
    assert not result.argmax.any()
    assert not result.rank.any()
    assert (result.ties == V - 1).all()


@pytest.mark.parametrize("V", [5, 130, 520])
def test_a_row_may_have_every_token_as_a_target(V):
    x, e, _ = inputs(1, 3, V, 8, torch.float32)
    t = several(1, 3, V, most=V)
    assert (t.row[0] == 0).sum() == V
    hold(x, e, t)


def test_a_large_vocabulary():
    x, e, t = inputs(1, 3, 20_001, 384, torch.float32, scale=0.05)
    loss, dx, de, _ = textbook(x, e, t)
    _, eager_dx, eager_de, _ = textbook(x, e, t, dtype=x.dtype)
    result, ours_dx, ours_de = ours(x, e, t, impl="triton")
    assert_close(result.loss, loss, 2e-6)
    assert_as_good(ours_dx, dx, eager_dx, x.dtype)
    assert_as_good(ours_de, de, eager_de, x.dtype)


def test_a_large_vocabulary_evaluated():
    x, e, _ = inputs(1, 3, 20_001, 16, torch.float32)
    hold(x, e, several(1, 3, 20_001))


@pytest.mark.parametrize("kind", ["hard", "several"])
def test_a_single_token_costs_nothing(kind):
    x, e, t = inputs(3, 2, 1, 1, torch.float32)
    t = several(3, 2, 1) if kind == "several" else t
    result, dx, de = ours(x, e, t, impl="triton", metrics=True)
    assert not any(t.any() for t in (result.row_loss, dx, de))
    assert_close(result.lse, (x.double() @ e.double().mT)[..., 0], 1e-6)
