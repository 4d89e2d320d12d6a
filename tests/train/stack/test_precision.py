"""bf16: products in half the bits, and parameters, sums and measures in all of them."""

import numpy as np
import pytest
import torch

from geomem.train.stack import train_stack
from tests.first_step import first_step

KINDS = {
    "transformer": {"layers": 2},
    "mamba": {"kind": "mamba", "layers": 2, "width": 16, "state": 4},
    "feed-forward": {"kind": "feed_forward", "width": 16},
}


def _found(make_run, model, precision):
    task = {} if model.get("kind") == "feed_forward" else {"recipe": "mixed"}
    run = make_run(0, model=model, task=task, train={"steps": 5, "precision": precision})
    return first_step([run])


@pytest.mark.parametrize("kind", KINDS)
def test_products_are_rounded_and_nothing_else_is(make_run, kind):
    (_, _, full), (params, products, half) = (
        _found(make_run, KINDS[kind], p) for p in ("fp32", "bf16")
    )
    for name, exact, gradient in zip(params, full.gradients, half.gradients, strict=True):
        assert params[name].dtype == torch.float32
        assert gradient.dtype == (torch.bfloat16 if name in products else torch.float32), name
        # Of keys' biases, which have no gradient, there is but rounding to compare.
        if exact.norm() > 1e-3 * full.norm.max():
            gap = (gradient - exact).norm() / exact.norm()
            assert 1e-6 < gap < 0.05, name
    assert half.loss.item() != full.loss.item()
    assert half.loss.item() == pytest.approx(full.loss.item(), rel=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_alone_equals_itself_in_a_stack(make_run, kind):
    train = {"steps": 6, "eval_every": 1, "precision": "bf16"}
    runs = [make_run(s, model=KINDS[kind], train=train) for s in range(3)]
    together = train_stack(runs).tensors
    for k, run in enumerate(runs):
        alone = train_stack([run]).tensors
        np.testing.assert_allclose(alone["metrics/loss"][0], together["metrics/loss"][k], rtol=2e-2)
        gap = np.linalg.norm(alone["embedding"][0] - together["embedding"][k])
        assert gap <= 2e-2 * np.linalg.norm(alone["embedding"][0])


def test_memorises_and_is_measured_in_full_precision(make_run):
    """Edges of a cycle to the entropy of two neighbours, where rounded products would stop."""
    train = {"steps": 300, "precision": "bf16"}
    run = make_run(0, graph={"kind": "cycle", "nodes": 15}, model={"width": 32}, train=train)
    tensors = train_stack([run]).tensors
    assert tensors["metrics/edge_recovery"][0, -1] == 1
    assert tensors["metrics/edge_loss"][0, -1] - np.log(2) < 5e-3
