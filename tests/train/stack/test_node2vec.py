"""Node2Vec: the gradient of its objective, and a run that is the same alone, stacked, resumed."""

import numpy as np
import pytest
import torch

from geomem.models import Neighbours, Node2Vec, node2vec
from geomem.train.config import RunConfig
from geomem.train.stack import Interrupted, train_stack
from geomem.train.tasks.edge_examples import edge_examples

MODEL = {"kind": "node2vec", "width": 8, "token_std": 1.0}
OPTIM = {"lr": 0.01, "weight_decay": 0.0, "schedule": "constant"}
FORMS = {
    "tied": {},
    "untied": {"tie": False},
    "float32": {"dtype": "float32"},
}


@pytest.fixture
def make_node2vec(make_run):
    def build(seed=0, **sections):
        model = MODEL | sections.pop("model", {})
        optim = OPTIM | sections.pop("optim", {})
        return make_run(seed, model=model, optim=optim, **sections)

    return build


def _problem(run: RunConfig, members=3):
    """Model, examples, random parameters and the examples as a matrix W, all in fp64."""
    from geomem.train.tasks.graphs import build_graph

    graph = build_graph(run.graph)
    examples = torch.from_numpy(edge_examples(graph, run.task))
    neighbours = Neighbours.of(examples[:, 0], examples[:, 1], graph.n, torch.float64)
    model = Node2Vec(graph.n, run.model.width, run.model.tie, torch.float64)
    torch.manual_seed(0)
    params = {n: torch.randn(members, *p.shape).double() for n, p in model.parameters().items()}
    W = torch.zeros(graph.n, graph.n).double()
    W[examples[:, 0], examples[:, 1]] = 1
    return model, neighbours, params, W / W.sum(1, keepdim=True).clamp(min=1)


TASKS = {
    "both": {},
    "forward": {"edges": "forward"},
    "self-edges": {"self_edges": True},
}


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("block", [1 << 22, 70, 5], ids=["one block", "blocks", "single rows"])
def test_the_ascent_is_the_gradient_of_the_objective(make_node2vec, monkeypatch, tie, task, block):
    monkeypatch.setattr(node2vec, "BLOCK_ELEMENTS", block)
    run = make_node2vec(model={"tie": tie}, task=TASKS[task])
    model, neighbours, params, W = _problem(run)
    leaves = {name: table.clone().requires_grad_() for name, table in params.items()}
    right = leaves.get("unembedding", leaves["embedding"])
    log_p = (leaves["embedding"] @ right.transpose(1, 2)).log_softmax(2)
    objective = (W * log_p).sum((1, 2))
    expected = torch.autograd.grad(objective.sum(), list(leaves.values()))
    into = {name: torch.full_like(table, torch.nan) for name, table in params.items()}
    loss = model.ascent(params, neighbours, into)
    for found, wanted in zip(into.values(), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(loss, -objective.detach() / (W.sum(1) > 0).sum())


def test_the_ascent_is_the_paper_s_closed_form(make_node2vec):
    model, neighbours, params, W = _problem(make_node2vec())
    V = params["embedding"]
    into = {"embedding": torch.empty_like(V)}
    model.ascent(params, neighbours, into)
    half = W - (V @ V.transpose(1, 2)).softmax(2)
    torch.testing.assert_close(into["embedding"], (half + half.transpose(1, 2)) @ V)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("block", [1 << 22, 70])
def test_measures_against_their_definitions(make_node2vec, monkeypatch, task, block):
    monkeypatch.setattr(node2vec, "BLOCK_ELEMENTS", block)
    model, neighbours, params, W = _problem(make_node2vec(task=TASKS[task]))
    found = model.measure(params, neighbours)
    for k, V in enumerate(params["embedding"]):
        scores, known, hits, losses = V @ V.T, [], [], []
        for u in range(len(V)):
            mine = set(W[u].nonzero().ravel().tolist())
            if not mine:
                continue
            others = [v for v in range(len(V)) if v not in mine and v != u]
            best = max(scores[u, v] for v in {*mine, *others})
            known.append(min(scores[u, v] for v in mine) > max(scores[u, v] for v in others))
            hits += [bool(scores[u, v] == best) for v in mine]
            losses += [float(scores[u].logsumexp(0) - scores[u, v]) for v in mine]
        assert found.edge_recovery[k] == pytest.approx(np.mean(known))
        assert found.edge_accuracy[k] == pytest.approx(np.mean(hits))
        assert found.edge_loss[k] == pytest.approx(np.mean(losses))


@pytest.mark.parametrize("form", FORMS)
def test_a_run_alone_equals_itself_in_a_stack(make_node2vec, form):
    optims = [{}, {"lr": 0.003}, {"warmup_steps": 3}, {"schedule": "cosine"}]
    runs = [
        make_node2vec(
            s, model=FORMS[form] | {"token_std": 1 / (s + 1)}, optim=o, train={"steps": 12 - s}
        )
        for s, o in enumerate(optims)
    ]
    together = train_stack(runs)
    names = ["embedding", "unembedding"][: 1 + (form == "untied")]
    for k in (1, 3):
        alone = train_stack([runs[k]])
        for name in names:
            a, b = alone.tensors[name][0], together.tensors[name][k]
            assert a.dtype == (np.float32 if form == "float32" else np.float64)
            np.testing.assert_allclose(a, b, rtol=1e-5 if form == "float32" else 1e-12)
        for name in ("loss", "residual", "edge_recovery"):
            a, b = (r.tensors[f"metrics/{name}"][at] for r, at in ((alone, 0), (together, k)))
            np.testing.assert_allclose(a[~np.isnan(a)], b[~np.isnan(b)], rtol=1e-5)


def test_a_step_moves_by_the_learning_rate_times_the_gradient(make_node2vec):
    run = make_node2vec(train={"steps": 1, "history_every": 1})
    history = train_stack([run]).tensors["history/embedding"][0]
    model, neighbours, _, _ = _problem(run)
    V = torch.from_numpy(history[:1])
    into = {"embedding": torch.empty_like(V)}
    model.ascent({"embedding": V}, neighbours, into)
    np.testing.assert_array_equal(history[1], (V + 0.01 * into["embedding"])[0].numpy())


def test_a_diverging_member_is_frozen_and_its_neighbours_do_not_notice(make_node2vec):
    fine, wild = [make_node2vec(s) for s in (0, 1)], make_node2vec(7, optim={"lr": 1e9})
    with_it, without = train_stack([fine[0], wild, fine[1]]), train_stack(fine)
    members = with_it.metadata["members"]
    assert [m["status"] for m in members] == ["done", "diverged", "done"]
    assert members[1]["diverged_step"] == 1
    assert np.isfinite(with_it.tensors["embedding"][1]).all()
    np.testing.assert_array_equal(
        with_it.tensors["embedding"][[0, 2]], without.tensors["embedding"]
    )


def test_training_continues_from_a_checkpoint_bit_for_bit(make_node2vec, tmp_path):
    runs = [make_node2vec(s, model={"tie": False}, train={"history_every": 3}) for s in range(3)]
    whole, path = train_stack(runs), tmp_path / "stack.safetensors"
    for limit in (2, 3, 1, 100):
        asked = iter([False] * (limit - 1) + [True])
        try:
            result = train_stack(runs, checkpoint=path, stop=lambda asked=asked: next(asked, False))
        except Interrupted:
            continue
    for name, tensor in whole.tensors.items():
        np.testing.assert_array_equal(tensor, result.tensors[name], err_msg=name)


def test_what_a_pack_holds(make_node2vec):
    run = make_node2vec(model={"tie": False}, train={"steps": 8, "history_every": 4})
    result = train_stack([run], keep_parameters=True)
    tensors, n = result.tensors, 19
    assert tensors["embedding"].shape == tensors["unembedding"].shape == (1, n, 8)
    assert tensors["history/embedding"].shape == (1, 3, n, 8)
    assert "special_embedding" not in tensors  # there are no tokens but the nodes
    np.testing.assert_array_equal(tensors["parameters/embedding"], tensors["embedding"])
    np.testing.assert_array_equal(tensors["history/embedding"][:, -1], tensors["embedding"])


def test_early_stop(make_node2vec):
    rule = {"metric": "edge_recovery", "reaches": 1.0}
    run = make_node2vec(train={"steps": 5000, "eval_every": 50, "stop_when": rule})
    assert train_stack([run]).metadata["members"][0]["stopped_step"] < 5000
