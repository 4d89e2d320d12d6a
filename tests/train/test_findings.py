"""Findings of arXiv 2510.26745, in the smallest size that shows them, on held-out arms."""

import pytest

from geomem.analysis.retrieval import first_hop_retrieval
from geomem.train.stack import train_stack

STAR = {
    "graph": {"kind": "path_star", "arms": 128, "length": 5},
    "model": {"kind": "transformer", "layers": 2, "width": 32, "heads": 4},
    "optim": {"lr": 4e-3, "warmup_steps": 50},
    "train": {"steps": 250, "edge_batch": 256, "path_batch": 24, "eval_every": 50},
}


def _train(make_run, task, model=None, seeds=2, steps=250):
    sections = STAR | {"model": STAR["model"] | (model or {})}
    sections["train"] = STAR["train"] | {"steps": steps}
    runs = [make_run(s, **sections, task={"recipe": "mixed", **task}) for s in range(seeds)]
    return train_stack(runs)


def _auc(result, k):
    embedding, arms = result.tensors["embedding"][k], result.tensors["arms"]
    return first_hop_retrieval(embedding, arms, result.tensors["held_out"][k]).auc.mean()


def test_paths_to_unseen_leaves_are_found_and_their_arms_are_close(make_run):
    result = _train(make_run, {})
    assert (result.tensors["metrics/exact_match"][:, -1] >= 0.85).all()
    assert all(_auc(result, k) >= 0.98 for k in range(2))


def test_the_hardest_token_is_learned_alone(make_run):
    result = _train(make_run, {"target": "hardest_token"})
    assert (result.tensors["metrics/first_hop"][:, -1] >= 0.85).all()


def test_forward_edges_alone_do_not_suffice(make_run):
    result = _train(make_run, {"edges": "forward"})
    assert (result.tensors["metrics/edge_recovery"][:, -1] >= 0.95).all()
    assert (result.tensors["metrics/train_exact_match"][:, -1] >= 0.95).all()
    assert (result.tensors["metrics/exact_match"][:, -1] <= 0.05).all()


def test_frozen_embeddings_memorise_and_do_not_generalise(make_run):
    model = {"freeze_embeddings": True, "token_std": 0.2, "width": 64}
    result = _train(make_run, {}, model, steps=400)
    assert (result.tensors["metrics/edge_recovery"][:, -1] >= 0.95).all()
    assert (result.tensors["metrics/exact_match"][:, -1] <= 0.05).all()
    assert all(0.35 <= _auc(result, k) <= 0.65 for k in range(2))


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "transformer", "layers": 1, "width": 32},
        {"kind": "feed_forward", "width": 32},
        {"kind": "feed_forward", "width": 32, "freeze_embeddings": True, "token_std": 1.0},
    ],
)
@pytest.mark.parametrize(
    "graph", [{"kind": "irregular"}, {"kind": "grid", "rows": 4, "columns": 4}]
)
def test_tiny_graphs_are_memorised_to_the_last_edge(make_run, model, graph):
    runs = [
        make_run(s, graph=graph, model=model, optim={"lr": 1e-2}, train={"steps": 400})
        for s in range(4)
    ]
    result = train_stack(runs)
    assert (result.tensors["metrics/edge_recovery"][:, -1] == 1).all()
