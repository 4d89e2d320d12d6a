"""The loss against an fp64 formulation with all logits; K members, N rows, V tokens, D width."""

import subprocess
import sys

import pytest
import torch
from torch.library import opcheck

from geomem.kernels import Targets, choice, linear_cross_entropy
from geomem.kernels.linear_cross_entropy import implementation, op, reference, workspace
from tests.closeness import assert_as_good, assert_close
from tests.kernels.loss_cases import inputs, memorised, ours, ranks, several, textbook

SHAPES = [
    (1, 1, 1, 1),  # nothing to choose from
    (3, 1, 17, 8),  # one row
    (2, 19, 26, 32),  # a tiny graph
    (2, 70, 313, 48),  # ragged against every block size
    (1, 40, 20_001, 16),  # a large vocabulary
]


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_matches_the_plain_formulation(shape):
    x, e, t = inputs(*shape, torch.float32)
    t[:, ::3] = -1 if shape[1] > 1 else t[:, ::3]
    loss, dx, de, logits = textbook(x, e, t)
    result, ours_dx, ours_de = ours(x, e, t, metrics=True)
    assert_close(result.loss, loss, 1e-6)
    assert_close(ours_dx, dx, 1e-5)
    assert_close(ours_de, de, 1e-5)
    assert_close(result.lse, logits.logsumexp(-1), 1e-6)
    assert torch.equal(result.argmax, logits.argmax(-1))


def test_a_single_token_costs_nothing():
    x, e, t = inputs(*SHAPES[0], torch.float64)
    result, dx, de = ours(x, e, t)
    assert result.loss.item() == dx.item() == de.item() == 0


def test_chunks_of_rows_change_nothing(monkeypatch):
    x, e, t = inputs(2, 37, 29, 8, torch.float64)
    whole = ours(x, e, t, metrics=True)
    monkeypatch.setattr(reference, "CHUNK_LOGITS", 2 * 29 * 5)
    parts = ours(x, e, t, metrics=True)
    for a, b in zip((*whole[0], *whole[1:]), (*parts[0], *parts[1:]), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("chunk", [1 << 20, 60])
def test_several_weighted_targets_per_row(monkeypatch, chunk):
    monkeypatch.setattr(reference, "CHUNK_LOGITS", chunk)
    x, e, _ = inputs(2, 5, 11, 8, torch.float32)
    row = torch.tensor([[0, 0, 0, 2, 3, 3, 4], [1, 1, 2, 3, 4, -1, -1]])
    token = torch.tensor([[1, 5, 7, 0, 2, 10, 9], [3, 4, 4, 5, 6, 0, 0]])
    weight = torch.tensor([[1, 2, 0.5, 1, 1, 3, 1], [1, 1, 2, 1, 1, 0, 0]])
    targets = Targets(row, token, weight)
    weights = torch.rand(2, 5) + 0.5
    loss, dx, de, _ = textbook(x, e, targets, weights)
    result, ours_dx, ours_de = ours(x, e, targets, row_weights=weights)
    assert_close(result.loss, loss, 1e-6)
    assert_close(ours_dx, dx, 1e-5)
    assert_close(ours_de, de, 1e-5)


def test_hard_targets_equal_single_weighted_ones():
    x, e, t = inputs(2, 6, 11, 8, torch.float64)
    row = torch.arange(6).expand(2, -1).contiguous()
    single = Targets(row, t, torch.ones(2, 6).double())
    hard, soft = ours(x, e, t, metrics=True), ours(x, e, single, metrics=True)
    for a, b in zip((*hard[0], *hard[1:]), (*soft[0], *soft[1:]), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_padded_vocabulary_is_masked():
    x, e, t = inputs(3, 9, 20, 8, torch.float64)
    sizes = torch.tensor([20, 13, 7])
    t = t % sizes[:, None]
    loss, dx, de, _ = textbook(x, e, t, vocab_sizes=sizes)
    result, ours_dx, ours_de = ours(x, e, t, vocab_sizes=sizes)
    assert_close(result.loss, loss, 1e-12)
    assert_close(ours_dx, dx, 1e-12)
    assert_close(ours_de, de, 1e-12)
    assert ours_de[1, 13:].abs().max() == 0
    alone, *_ = ours(x[2:], e[2:, :7], t[2:])
    torch.testing.assert_close(alone.loss, result.loss[2:], rtol=1e-12, atol=0)


@pytest.mark.parametrize("probability", [0.5, 0.999, 0.9998])
def test_keeps_the_gradient_of_memorised_facts(probability):
    x, e, t = memorised(2, 64, 500, 48, torch.float32, probability)
    loss, dx, de, logits = textbook(x, e, t)
    reached = (logits.softmax(-1).gather(2, t[..., None])).median()
    assert reached > probability - 0.2
    result, ours_dx, ours_de = ours(x, e, t)
    assert_close(result.loss, loss, 1e-4)
    assert_close(ours_dx, dx, 1e-4)
    assert_close(ours_de, de, 1e-4)


def test_gradient_of_one_minus_p_survives_where_fp32_probabilities_are_one():
    """At a gap of 40 nats even fp64 rounds p to 1; the small numbers are known in closed form."""
    x, e, t = torch.tensor([[[40.0, 0, 0, 0]]]), torch.eye(4)[None], torch.tensor([[0]])
    small = torch.tensor(-40.0).double().exp()
    result, dx, _ = ours(x, e, t)
    assert_close(result.loss, 3 * small[None], 1e-6)
    assert_close(dx, small * torch.tensor([[[-3.0, 1, 1, 1]]]).double(), 1e-6)


def test_gradcheck_in_double():
    x, e, t = inputs(2, 4, 6, 3, torch.float64)
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


@pytest.mark.parametrize("kind", ["hard", "several"])
def test_member_alone_equals_member_in_a_stack_to_the_bit(kind):
    x, e, t = inputs(30, 3, 5, 8, torch.float32)  # less than a vector of a processor
    t = several(30, 3, 5) if kind == "several" else t
    result, dx, de = ours(x, e, t, metrics=True)
    for k in range(30):
        own = Targets(*(v[k : k + 1] for v in t)) if kind == "several" else t[k : k + 1]
        alone, alone_dx, alone_de = ours(x[k : k + 1], e[k : k + 1], own, metrics=True)
        for a, b in zip((*alone, alone_dx, alone_de), (*result, dx, de), strict=True):
            assert torch.equal(a, b[k : k + 1])


def test_evaluation_keeps_no_graph():
    x, e, t = inputs(1, 3, 5, 4, torch.float32)
    with torch.no_grad():
        result = linear_cross_entropy(x.requires_grad_(), e.requires_grad_(), t)
    assert not result.loss.requires_grad


@pytest.mark.parametrize("kind", ["hard", "several"])
@pytest.mark.parametrize("V", [7, 300, 600])  # below, past and several times a block of the search
def test_metrics_equal_a_count_by_hand(V, kind):
    """Scores of small integers are exact, so that equal ones are equal."""
    g = torch.Generator().manual_seed(0)
    x, e = (torch.randint(-2, 3, s, generator=g).float() for s in ((2, 9, 3), (2, V, 3)))
    t = several(2, 9, V) if kind == "several" else torch.randint(-1, V, (2, 9), generator=g)
    result, logits = linear_cross_entropy(x, e, t, metrics=True), x @ e.mT
    rank, ties = ranks(logits, t)
    assert ties.max() > 0
    assert torch.equal(result.rank, rank)
    assert torch.equal(result.ties, ties)
    assert torch.equal(result.argmax, logits.argmax(-1))


def test_bfloat16_sums_in_float32():
    x, e, t = inputs(2, 40, 300, 16, torch.bfloat16)
    loss, dx, de, _ = textbook(x, e, t)
    _, eager_dx, eager_de, _ = textbook(x, e, t, dtype=torch.bfloat16)
    result, ours_dx, ours_de = ours(x, e, t)
    assert result.loss.dtype == torch.float32
    assert_close(result.loss, loss, 1e-6)
    assert_as_good(ours_dx, dx, eager_dx, torch.bfloat16)
    assert_as_good(ours_de, de, eager_de, torch.bfloat16)


def test_bfloat16_beside_a_float32_embedding_keeps_its_gradient_in_float32():
    x, e, t = inputs(2, 40, 300, 16, torch.bfloat16)
    _, dx, de = ours(x, e.float(), t)
    assert (dx.dtype, de.dtype) == (torch.bfloat16, torch.float32)
    assert_close(de, textbook(x, e, t)[2], 1e-5)


def test_a_diverged_row_is_never_right():
    x, e, t = inputs(1, 2, 9, 4, torch.float32)
    x[0, 1] = torch.nan
    result = linear_cross_entropy(x, e, t, metrics=True)
    assert result.rank[0, 1] > 0
    assert result.row_loss[0, 0].isfinite()


@pytest.mark.parametrize("wanted", [0, 1])
def test_only_gradients_that_are_wanted_are_made(wanted):
    x, e, t = inputs(2, 6, 9, 4, torch.float32)
    both = ours(x, e, t)[1:]
    (x, e)[wanted].requires_grad_()
    loss = linear_cross_entropy(x, e, t).loss.sum()
    (found,) = torch.autograd.grad(loss, (x, e)[wanted])
    assert torch.equal(found, both[wanted])
    assert loss.grad_fn.next_functions[0][0].next_functions[1 - wanted][0] is None


def test_no_rows_and_no_members():
    for K, N in ((2, 0), (0, 3)):
        x, e, t = inputs(K, N, 5, 4, torch.float32)
        result, _, de = ours(x, e, t)
        assert result.loss.shape == (K,)
        assert not de.any()


def test_operator():
    x, e, t = inputs(2, 5, 9, 4, torch.float32)
    x.requires_grad_(), e.requires_grad_()
    targets = several(2, 5, 9)
    weights, sizes = torch.rand(2, 5), torch.tensor([9, 8])
    for lists in ((None, t, None), targets):
        arguments = x, e, *lists, weights, sizes, True, True, True, "reference"
        opcheck(op.linear_cross_entropy, arguments)


def test_under_a_compiler():
    x, e, t = inputs(2, 5, 9, 4, torch.float32)
    x.requires_grad_(), e.requires_grad_()

    def loss(x, e):
        return linear_cross_entropy(2 * x, e, t).loss.sum()

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    expected = torch.autograd.grad(loss(x, e), (x, e))
    for a, b in zip(torch.autograd.grad(compiled(x, e), (x, e)), expected, strict=True):
        assert torch.equal(a, b)


def test_second_derivatives_are_refused():
    x, e, t = inputs(1, 3, 5, 4, torch.float32)
    x.requires_grad_()
    with pytest.raises(RuntimeError, match="second derivatives"):
        torch.autograd.grad(linear_cross_entropy(x, e, t).loss.sum(), x, create_graph=True)


@pytest.mark.parametrize(
    ("K", "N", "row_bytes"),
    [
        (1, 16_384, 2 * 1_000_000),  # a million tokens: the floor
        (1, 16_384, 2 * 20_032),
        (8, 16_384, 2 * 10_048),
        (64, 1024, 2 * 4096),  # all rows of some members
        (4096, 100, 2 * 576),
        (3, 5, 1),
    ],
)
def test_workspace_keeps_to_its_budget_or_its_floor(K, N, row_bytes):
    members, rows = workspace.division(K, N, row_bytes)
    assert rows == N or rows % workspace.BLOCK == 0
    assert rows >= min(N, workspace.FLOOR)
    least = min(N, workspace.FLOOR) * row_bytes
    assert members * rows * row_bytes <= max(workspace.BUDGET, least)
    seen = torch.zeros(K, N, dtype=torch.int)
    for at in workspace.chunks(K, N, row_bytes):
        seen[at.k : at.k_end, at.n : at.n_end] += 1
    assert (seen == 1).all()


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


def test_triton_is_chosen_where_it_can_run(monkeypatch):
    monkeypatch.setattr(choice, "TRITON", True)
    assert implementation("auto", "cuda", torch.bfloat16) == "triton"
    assert implementation("reference", "cuda", torch.bfloat16) == "reference"
    assert implementation("auto", "cuda", torch.float16) == "reference"
    assert implementation("auto", "cpu", torch.float32) == "reference"
    for device, dtype in (("cuda", torch.float64), ("cpu", torch.float32)):
        with pytest.raises(ValueError, match=r"not available here; choose one of auto, reference$"):
            implementation("triton", device, dtype)
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
    with pytest.raises(ValueError, match="choose one of auto, reference"):
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
