"""Findings of arXiv 2510.26745 in geometry and spectrum, in the smallest size that shows them."""

import numpy as np
import pytest

from geomem.analysis.hops import hop_correlation, hop_table
from geomem.analysis.memory import memory_scores
from geomem.analysis.recall import edge_recovery
from geomem.analysis.retrieval import first_hop_retrieval
from geomem.analysis.scores import make_scores
from geomem.analysis.spectrum import negative_share
from geomem.train.stack import train_stack
from tests.analysis.trained import TINY

TRANSFORMER = {"kind": "transformer", "layers": 1, "width": 32}
ASSOCIATIVE = {"kind": "feed_forward", "width": 32, "freeze_embeddings": True, "token_std": 1.0}


def _tiny(make_run, graph, model=TRANSFORMER, parameters=False, **task):
    sections = {"graph": TINY[graph], "model": model, "optim": {"lr": 1e-2}}
    runs = [make_run(s, **sections, task=task, train={"steps": 300}) for s in range(4)]
    tensors = train_stack(runs, keep_parameters=parameters).tensors
    assert (tensors["metrics/edge_recovery"][:, -1] == 1).all()
    return tensors


@pytest.mark.parametrize("model", [{}, {"freeze_embeddings": True, "token_std": 0.2, "width": 64}])
def test_edges_alone_bring_the_ends_of_an_arm_together_unless_frozen(make_run, model):
    run = {
        "graph": {"kind": "path_star", "arms": 128, "length": 5},
        "model": {"kind": "transformer", "layers": 2, "width": 32, "heads": 4} | model,
        "optim": {"lr": 4e-3, "warmup_steps": 50},
        "train": {"steps": 150, "edge_batch": 256, "eval_every": 150},
    }
    tensors = train_stack([make_run(seed, **run) for seed in range(2)]).tensors
    found = first_hop_retrieval(tensors["embedding"], tensors["arms"])  # none was trained on
    top1, auc = found.top1.mean(-1), found.auc.mean(-1)
    if model:
        assert (top1 <= 0.05).all()  # chance is 1/128
        assert (abs(auc - 0.5) <= 0.1).all()
    else:
        assert (top1 >= 0.95).all()
        assert (auc >= 0.99).all()


@pytest.mark.parametrize("graph", TINY)
def test_the_transformer_is_more_geometric_than_the_associative_control(make_run, graph):
    scores = {}
    for name, model in (("transformer", TRANSFORMER), ("associative", ASSOCIATIVE)):
        tensors = _tiny(make_run, graph, model)
        table = hop_table(tensors["edges"], tensors["embedding"].shape[1])
        scores[name] = hop_correlation(tensors["embedding"], table)
    assert np.median(scores["transformer"]) >= 0.4
    assert abs(np.median(scores["associative"])) <= 0.25
    assert scores["transformer"].min() > scores["associative"].max()


@pytest.mark.parametrize("graph", TINY)
def test_self_edges_take_the_zigzag_out(make_run, graph):
    plain, taught = (_tiny(make_run, graph, self_edges=flag) for flag in (False, True))
    before, after = (negative_share(t["embedding"], t["edges"]) for t in (plain, taught))
    assert before.min() >= 0.25
    assert after.max() <= 0.17


def test_the_associative_control_holds_its_edges_in_the_map_alone(make_run):
    tensors = _tiny(make_run, "grid", ASSOCIATIVE, parameters=True)
    x, edges, W = (tensors[name] for name in ("embedding", "edges", "parameters/map0"))
    assert (edge_recovery(make_scores(x, W), edges).nodes == 1).all()
    assert (edge_recovery(make_scores(x), edges).nodes <= 0.1).all()
    margins = memory_scores(x, edges, W)
    assert (margins.original > 5).all()
    assert (margins.skewed < 0.5 * margins.original).all()
    assert (margins.geometric < 0).all()
