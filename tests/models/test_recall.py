"""The recall model against the formula written out query by query, in float64."""

import pytest
import torch

from geomem.models import Recall, Segment, draw, pairs
from tests.closeness import assert_close

K, N, R = 2, 7, 3
SETTINGS = {
    "subject_std": 0.5, "relation_std": 1.0, "attribute_std": 1.0, "position_std": 2.0,
    "query_std": 1.5,
}  # fmt: skip
PLAIN = {
    "tie": False, "attention_start": "orthogonal", "attention_bias": False, "token_residual": True,
    "mlp_residual": False, "freeze_subjects": False, "freeze_relations": False,
    "freeze_attributes": False,
}  # fmt: skip
SWITCHES = [
    {},
    {"attention_bias": True, "token_residual": False},
    {"mlp_residual": True, "attention_start": "normal"},
    {"tie": True},
]


def _model(context=2, **switches):
    return Recall(N, R, N, context, 5, 11, **PLAIN | switches)


def _params(model):
    settings = {n: torch.full((K,), v, dtype=torch.float64) for n, v in SETTINGS.items()}
    found = {n: draw(n, p, [3, 8], settings).double() for n, p in model.parameters().items()}
    generator = torch.Generator().manual_seed(0)
    for name in ("up.bias", "down.bias", "attention_bias"):  # zeros would hide mistakes
        if name in found:
            found[name] = torch.randn(found[name].shape, generator=generator, dtype=torch.float64)
    return {name: t.requires_grad_() for name, t in found.items()}


def _one(model, p, tokens, at):
    """The state of one member's sequence at one position, as the docstring of the model says it."""
    table = torch.cat([p["embedding"], p["relations"]])
    x = table[tokens] + p["positions"][: len(tokens)]
    scores = (x[at] @ p["query"]) @ (x[: at + 1] @ p["key"]).T / model.width**0.5
    if model.attention_bias:
        scores = scores + p["attention_bias"][at, : at + 1]
    h = scores.softmax(0) @ (x[: at + 1] @ p["value"]) @ p["output"]
    if model.token_residual:
        h = h + x[at]
    up = h @ p["up.weight"] + p["up.bias"]
    y = up.clamp(min=0) @ p["down.weight"] + p["down.bias"]
    return y + h if model.mlp_residual else y


def _plain(model, params, tokens, wanted):
    members = []
    for k in range(K):
        p = {name: t[k] for name, t in params.items()}
        T = tokens.shape[2]
        rows = [
            torch.stack([_one(model, p, sequence, T - wanted + i) for i in range(wanted)])
            for sequence in tokens[k]
        ]
        members.append(torch.cat(rows))
    return torch.stack(members)


def _compare(params, found, expected):
    weights = torch.randn(
        expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    ours = torch.autograd.grad((found * weights).sum(), list(params.values()), allow_unused=True)
    theirs = torch.autograd.grad(
        (expected * weights).sum(), list(params.values()), allow_unused=True
    )
    assert_close(found, expected.detach(), 1e-12)
    for name, one, other in zip(params, ours, theirs, strict=True):
        assert (one is None) == (other is None), name
        if other is not None:
            assert_close(one, other, 1e-11)


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_pairs_equal_the_formula(switches):
    model = _model(**switches)
    params = _params(model)
    segment = pairs(torch.tensor([[0, 4, 6], [5, 1, 2]]), torch.tensor([[7, 9], [9, 8]]))
    assert segment.tokens[1].tolist() == [[5, 9], [1, 9], [2, 9], [5, 8], [1, 8], [2, 8]]
    found = model.hidden(params, [segment], None)
    _compare(params, found, _plain(model, params, segment.tokens, 1))


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("wanted", [1, 2, 4])
def test_sequences_equal_the_formula(switches, wanted):
    model = _model(context=4, **switches)
    params = _params(model)
    tokens = torch.tensor([[[0, 7, 9, 3], [6, 8, 8, 1]], [[2, 9, 7, 0], [2, 9, 7, 5]]])
    found = model.hidden(params, [Segment(tokens, tokens[:, 0, :0], wanted % 4)], None)
    _compare(params, found, _plain(model, params, tokens, wanted))


def test_starts():
    model = _model(context=2)
    params = _params(model)
    for name in ("value", "output"):
        eye = torch.eye(5, dtype=torch.float64).expand(K, 5, 5)
        torch.testing.assert_close(params[name] @ params[name].mT, eye, atol=1e-6, rtol=0)
    assert not torch.allclose(params["value"], params["output"])
    alone = draw("value", model.parameters()["value"], [8], {})
    assert torch.equal(alone[0].double(), params["value"][1])


def test_orthogonal_starts_are_uniform():
    """Without the signs the first entry of Householder's Q would always be negative."""
    start = _model().parameters()["value"]
    first = draw("value", start, list(range(400)), {})[:, 0, 0]
    assert 0.4 < (first > 0).double().mean() < 0.6
    assert abs(first.var() * 5 - 1) < 0.2
