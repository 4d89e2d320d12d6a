"""Evaluation in one teacher-forced pass equals step-by-step greedy decoding."""

import pytest
import torch

from geomem.models import Segment
from geomem.train.stack.build import build_model
from geomem.train.stack.evaluation import CHUNK_ELEMENTS, evaluate
from geomem.train.stack.trainer import Trainer
from tests.train.stack import plain


def _trained(runs, steps):
    trainer = Trainer(runs, torch.device("cpu"))
    trainer.steps = steps
    trainer.train(lambda: None)
    params = {n: p.detach() for n, p in trainer.state.arena.params.items()}
    return trainer, params


def _decode(params, k, config, prefix, length):
    tokens = list(prefix)
    member = {n: p[k].double() for n, p in params.items()}
    for _ in range(length):
        logits = plain.logits_of(member, torch.tensor([tokens]), config)
        tokens.append(int(logits[0, -1].argmax()))
    return tokens[len(prefix) :]


@pytest.mark.parametrize("task", [{}, {"reverse_paths": True}, {"target": "hardest_token"}])
def test_exact_match_equals_greedy_decoding(make_run, task):
    """Halfway through training, where some paths are right and some are not."""
    graph = {"arms": 24, "length": 3}
    train = {"steps": 200, "eval_every": 10}
    runs = [
        make_run(s, graph=graph, task={"recipe": "mixed"} | task, train=train) for s in range(3)
    ]
    trainer, params = _trained(runs, steps=40 if task.get("target") else 60)
    tables, found = trainer.task.tables, evaluate(trainer.model, params, trainer.task.tables)
    rights = []
    for k, run in enumerate(runs):
        right = []
        for r in range(24):
            target = tables.paths.targets[k, r].tolist()
            tokens = tables.paths.tokens[k, r].tolist()
            prefix = tables.path_tag[k].tolist() + tokens[: len(tokens) - len(target) + 1]
            right.append(_decode(params, k, run.model, prefix, len(target)) == target)
        rights.append(torch.tensor(right).float())
        for split, name in (("train", "train_exact_match"), ("held_out", "exact_match")):
            rows = getattr(tables.paths, split)[k]
            assert found[name][k] == pytest.approx(rights[k][rows].mean().item())
    share = torch.stack(rights).mean()
    assert 0 < share < 1, "a model that is always right, or never, would show nothing"


def test_edge_measures_equal_a_table_of_all_scores(make_run):
    runs = [make_run(s, train={"steps": 60}) for s in range(3)]
    trainer, params = _trained(runs, steps=15)
    tables, graph = trainer.task.tables, trainer.task.tables.graph
    found = evaluate(trainer.model, params, tables)
    neighbours = [set() for _ in range(graph.n)]
    for a, b in graph.edges.tolist():
        neighbours[a].add(b), neighbours[b].add(a)
    for k, run in enumerate(runs):
        node_token = tables.node_token[k]
        member = {n: p[k].double() for n, p in params.items()}
        tag = tables.edge_tag[k].expand(graph.n, -1)
        tokens = torch.cat([tag, node_token[:, None]], 1)
        logits = plain.logits_of(member, tokens, run.model)[:, -1]
        hits, recovered, loss = 0, 0, 0.0
        for u in range(graph.n):
            wanted = {int(node_token[v]) for v in neighbours[u]}
            top = set(logits[u].topk(len(wanted)).indices.tolist())
            hits += int(logits[u].argmax()) in wanted
            recovered += top == wanted
            loss -= logits[u].log_softmax(0)[sorted(wanted)].sum().item()
        examples = 2 * len(graph.edges)
        assert found["edge_accuracy"][k] == pytest.approx(hits / examples)
        assert found["edge_recovery"][k] == pytest.approx(recovered / graph.n)
        assert found["edge_loss"][k] == pytest.approx(loss / examples, rel=1e-5)
    assert 0 < found["edge_recovery"].mean() < 1


def test_chunks_change_nothing(make_run, monkeypatch):
    runs = [make_run(s, task={"recipe": "mixed"}) for s in range(2)]
    trainer, params = _trained(runs, steps=8)
    whole = evaluate(trainer.model, params, trainer.task.tables)
    monkeypatch.setitem(CHUNK_ELEMENTS, "cpu", 2 * 16 * 5)
    parts = evaluate(trainer.model, params, trainer.task.tables)
    for name, value in whole.items():
        torch.testing.assert_close(value, parts[name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("model", [{"layers": 2}, {"kind": "mamba", "layers": 2, "width": 16}])
def test_causality_by_gradient(make_run, model):
    """A prediction depends on no token after it."""
    run = make_run(task={"recipe": "mixed"}, model=model)
    trainer = Trainer([run], torch.device("cpu"))
    model = build_model(run, trainer.task.tables)
    params = {n: p.detach().double() for n, p in trainer.state.arena.params.items()}
    tokens = trainer.task.tables.paths.tokens[:, :1]
    distinct = torch.arange(tokens.shape[2]).view_as(tokens) + 10
    table = params["embedding"].requires_grad_()
    hidden = model.hidden(params, [Segment(distinct, trainer.task.tables.path_tag)], None)
    probe = torch.arange(16.0).double()  # a plain sum is constant behind a LayerNorm
    for t in range(distinct.shape[2]):
        (grad,) = torch.autograd.grad(hidden[0, t] @ probe, table, retain_graph=True)
        seen = grad[0, distinct[0, 0]].abs().sum(1) > 0
        assert seen.tolist() == [s <= t for s in range(distinct.shape[2])]
