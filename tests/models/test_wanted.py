"""Of the last block only wanted tokens are computed, and what they are does not change."""

import pytest
import torch

from geomem.models import FeedForward, Mamba, Segment, Transformer, draw, layers
from tests.closeness import assert_close

SHARED = {"vocab": 11, "layers": 2, "width": 16, "tie": True, "freeze_embeddings": False}
SHARED |= {"residual": True, "norm": True}
TRANSFORMER = {"context": 6, "heads": 2, "mlp_ratio": 2, "positions": "learned"}
MODELS = {
    "transformer": Transformer(**SHARED, **TRANSFORMER, attention=True),
    "no attention": Transformer(**SHARED, **TRANSFORMER, attention=False),
    "feed-forward": FeedForward(11, 2, 16, "gelu", tie=True, freeze_embeddings=False),
    "mamba": Mamba(**SHARED, state=4, conv=4, expand=2, rank=2),
}
SEEDS = [3, 4]


def parameters(model):
    stds = ("token_std", "position_std", "weight_std")
    settings = {name: torch.full((2,), 0.3, dtype=torch.float64) for name in stds}
    found = model.parameters().items()
    return {name: draw(name, p, SEEDS, settings).double() for name, p in found}


def segments(wanted):
    """Sequences of five tokens of which some are wanted, and of one token, behind a prefix."""
    tokens = torch.arange(2 * 3 * 5).view(2, 3, 5) * 7 % 11
    prefix = torch.tensor([[9], [10]])
    return [Segment(tokens[:, :, :1], prefix, 1), Segment(tokens, prefix, wanted)]


def rows_of_outputs(monkeypatch, model):
    """Return rows that the last product of each block takes, block after block."""
    seen = []
    plain = layers.linear

    def counted(x, weight, bias):
        if weight.shape[-1] == model.width:
            seen.append(x.shape[1])
        return plain(x, weight, bias)

    monkeypatch.setattr(layers, "linear", counted)
    monkeypatch.setattr(type(model).__module__ + ".linear", counted, raising=False)
    return seen


@pytest.mark.parametrize("name", MODELS)
def test_wanted_tokens_are_what_they_were(name):
    model = MODELS[name]
    params = parameters(model)
    edges, paths = model.hidden(params, segments(2), None).split([3, 3 * 2], 1)
    all_edges, all_paths = model.hidden(params, segments(0), None).split([3, 3 * 5], 1)
    assert paths.shape == (2, 3 * 2, 16)
    assert_close(edges, all_edges, 1e-14)
    assert_close(paths.unflatten(1, (3, 2)), all_paths.unflatten(1, (3, 5))[:, :, -2:], 1e-14)


@pytest.mark.parametrize("name", MODELS)
def test_others_are_left_out(name, monkeypatch):
    model = MODELS[name]
    seen = rows_of_outputs(monkeypatch, model)
    model.hidden(parameters(model), segments(2), None)
    everything, wanted = 1 + 3 + 1 + 15, 3 + 6
    if name in ("no attention", "feed-forward"):  # nothing looks at the others
        assert set(seen) == {wanted}
    else:
        assert seen[0] == everything
        assert seen[-1] == wanted
