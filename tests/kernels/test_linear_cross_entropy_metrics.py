"""Argmax, rank and ties of the loss against counts by hand."""

import pytest
import torch

from geomem.kernels import Targets, linear_cross_entropy
from geomem.kernels.linear_cross_entropy import workspace
from tests.kernels.loss_cases import inputs, ours, ranks, several


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


@pytest.mark.parametrize("kind", ["hard", "several"])
@pytest.mark.parametrize("chunk", [2 * 29 * 37, 5 * 29])
def test_chunks_of_rows_and_members_change_nothing(monkeypatch, chunk, kind):
    x, e, t = inputs(5, 37, 29, 8, torch.float64)
    t = several(5, 37, 29) if kind == "several" else t
    whole = ours(x, e, t, metrics=True)[0]
    monkeypatch.setattr(workspace, "CPU_LOGITS", chunk)
    monkeypatch.setattr(workspace, "CPU_ROWS", 1)
    for a, b in zip(whole, ours(x, e, t, metrics=True)[0], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("wrong", [0, 3, 25])  # no row is counted, some chosen ones, all
@pytest.mark.parametrize("kind", ["hard", "several"])
def test_rows_with_other_tokens_above_their_targets_are_found_among_the_rest(wrong, kind):
    """Scores of small integers; the targets stand out by ten, but in the first rows."""
    g = torch.Generator().manual_seed(1)
    noise = torch.randint(-2, 3, (2, 40, 90), generator=g).float()
    t = several(2, 40, 90) if kind == "several" else torch.randint(-1, 90, (2, 40), generator=g)
    on_target = torch.zeros(2, 40, 90)
    for k in range(2):
        for n in range(wrong, 40):
            tokens = t.token[k][t.row[k] == n] if kind == "several" else t[k, n : n + 1]
            on_target[k, n, tokens[tokens >= 0]] = 10.0
    e = (noise + on_target).mT.contiguous()  # of an identity: the scores themselves
    x = torch.eye(40).expand(2, 40, 40).contiguous()
    result, logits = linear_cross_entropy(x, e, t, metrics=True), x @ e.mT
    rank, ties = ranks(logits, t)
    assert (rank[:, wrong:] <= 0).all()
    assert wrong == 0 or ((rank > 0).any() and (ties > 0).any())
    assert torch.equal(result.rank, rank)
    assert torch.equal(result.ties, ties)
    assert torch.equal(result.argmax, logits.argmax(-1))


@pytest.mark.parametrize("lifted", [0.0, 1.5, 10.0])  # targets best by chance, mostly, throughout
@pytest.mark.parametrize("kind", ["hard", "several"])
def test_hits_tell_what_the_counts_tell(lifted, kind):
    """Scores of small integers, but for what targets are lifted by: many are equal."""
    g = torch.Generator().manual_seed(2)
    noise = torch.randint(-2, 3, (2, 40, 30), generator=g).float()
    t = several(2, 40, 30) if kind == "several" else torch.randint(-1, 30, (2, 40), generator=g)
    is_target = torch.zeros(2, 40, 31, dtype=torch.bool)
    if isinstance(t, Targets):
        k = torch.arange(2)[:, None].expand_as(t.row)
        is_target[k, t.row, torch.where(t.row < 0, 30, t.token)] = True
    else:
        is_target.scatter_(2, torch.where(t < 0, 30, t)[..., None], True)
    is_target = is_target[..., :30]
    e = (noise + lifted * is_target).mT.contiguous()  # of an identity: the scores themselves
    x = torch.eye(40).expand(2, 40, 40).contiguous()
    whole = linear_cross_entropy(x, e, t, metrics=True)
    hits = linear_cross_entropy(x, e, t, metrics="hits")
    right = is_target.gather(2, whole.argmax[..., None])[..., 0]
    assert torch.equal(hits.argmax[right], whole.argmax[right])
    wrong = hits.argmax[~right]
    assert not is_target[~right].gather(1, wrong.clamp(min=0)[:, None])[wrong >= 0].any()
    assert torch.equal((hits.rank == 0) & (hits.ties == 0), (whole.rank == 0) & (whole.ties == 0))
    assert torch.equal(hits.rank < 0, whole.rank < 0)
    assert right.float().mean() > 0
    assert torch.equal(hits.row_loss, whole.row_loss)


@pytest.mark.parametrize("metrics", [True, "hits"])
def test_a_diverged_row_is_never_right(metrics):
    x, e, t = inputs(1, 2, 9, 4, torch.float32)
    x[0, 1] = torch.nan
    result = linear_cross_entropy(x, e, t, metrics=metrics)
    assert result.rank[0, 1] > 0
    assert result.argmax[0, 1] == -1
    assert result.row_loss[0, 0].isfinite()
