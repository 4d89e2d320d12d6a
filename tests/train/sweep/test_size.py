"""Sizes that follow from a configuration, against the tensors themselves."""

from math import prod

import pytest
import torch

from geomem.train.config import ConfigError
from geomem.train.stack.build import build_model, build_task
from geomem.train.stack.members import stages_of
from geomem.train.sweep.size import (
    member_bytes,
    member_parameters,
    step_operations,
)
from geomem.train.sweep.task_size import graph_counts, task_size
from geomem.train.tasks.graphs import build_graph

CPU = torch.device("cpu")
NO_DECAY = {"weight_decay": 0.0}
FACTS = {"kind": "facts", "subjects": 9, "relations": 3}
SECTIONS = [
    {},
    {"model": {"tie": False, "layers": 3, "mlp_ratio": 2}},
    {"model": {"positions": "sinusoidal"}},
    {"model": {"positions": "none", "norm": False}},
    {"model": {"attention": False}},
    {"model": {"kind": "feed_forward", "layers": 2, "tie": False}},
    {"model": {"kind": "mamba", "layers": 2, "width": 20, "tie": False}},
    {"model": {"kind": "mamba", "dt_rank": 3, "norm": False, "conv": 2}},
    {"model": {"kind": "node2vec", "width": 12}, "optim": NO_DECAY},
    {"model": {"kind": "node2vec", "tie": False, "dtype": "float32"}, "optim": NO_DECAY},
    {"graph": {"kind": "tree_star", "arms": 3, "branching": 3, "length": 4}},
    {"graph": {"kind": "grid", "rows": 3, "columns": 4}},
    {"graph": {"kind": "cycle", "nodes": 7}, "train": {"edge_batch": 3}},
    {"graph": {"kind": "irregular"}},
    {"task": {"recipe": "mixed", "pauses": 3, "start_node": True}},
    {"task": {"recipe": "mixed", "task_token": False}, "train": {"path_batch": 2}},
    {"task": {"recipe": "mixed", "target": "hardest_token"}},
    {"task": {"recipe": "staged"}, "train": {"edge_steps": 4, "path_batch": 3}},
    {"task": {"kind": "in_context"}, "train": {"path_batch": 5}},
    {
        "task": {"kind": "in_context", "labels": 31, "delimiters": False, "pauses": 2},
        "train": {"path_batch": 2},
    },
    {
        "task": {"kind": "in_context", "target": "hardest_token", "pauses": 1},
        "model": {"kind": "mamba"},
        "train": {"path_batch": 2},
    },
    {"task": FACTS, "model": {"kind": "recall"}},
    {"task": FACTS | {"attributes": "disjoint"}, "model": {"kind": "recall", "width": 12}},
    {"task": FACTS, "model": {"kind": "recall", "tie": True}, "train": {"fact_batch": 5}},
    {
        "task": FACTS | {"hops": 2, "chain_of_thought": True, "test_fraction": 0.3},
        "model": {"kind": "recall", "attention_bias": True, "mlp_width": 5},
    },
    {"task": FACTS, "model": {"kind": "transformer", "tie": False}},
    {"task": FACTS | {"hops": 3}, "model": {"kind": "mamba"}, "train": {"fact_batch": 7}},
]


@pytest.mark.parametrize("sections", SECTIONS, ids=str)
def test_counts_equal_those_of_the_tensors(make_run, sections):
    run = make_run(**sections)
    found = build_model(run, build_task([run], CPU)).parameters()
    assert member_parameters(run) == sum(prod(p.shape) for p in found.values())
    if run.graph is not None:
        graph = build_graph(run.graph)
        assert graph_counts(run.graph) == (graph.n, len(graph.edges))


@pytest.mark.parametrize("sections", SECTIONS, ids=str)
def test_work_equals_that_of_a_step(make_run, sections):
    run = make_run(**sections)
    task, works = build_task([run], CPU), []
    for stage in stages_of(run):
        task.enter(stage)
        tokens = rows = pairs = 0
        for part in task.parts(0):
            B, T = part.segment.tokens.shape[1:]
            tokens, rows = tokens + B * T, rows + B * part.segment.wanted
            pairs += B * T * (T + part.segment.prefix.shape[1] if T > 1 else 1)
        works.append((tokens, rows, pairs))
    assert task_size(run).work == max(works)


def test_edge_lists_are_counted_from_the_file(make_run, tmp_path):
    path = tmp_path / "e.txt"
    path.write_text("a b\nb c\nb a\n")
    run = make_run(graph={"kind": "edge_list", "path": str(path), "sha256": "0" * 64})
    assert graph_counts(run.graph) == (3, 2)
    path.write_text("a b c\n")
    again = make_run(graph={"kind": "edge_list", "path": str(path), "sha256": "1" * 64})
    with pytest.raises(ConfigError, match="found 3 names"):
        member_bytes(again)


def test_more_of_anything_is_larger(make_run):
    small = make_run(task={"recipe": "mixed"})
    for sections in [
        {"model": {"width": 32}},
        {"model": {"layers": 2}},
        {"graph": {"arms": 60}},
        {"task": {"recipe": "mixed", "pauses": 9}},
    ]:
        large = make_run(**{"task": {"recipe": "mixed"}, **sections})
        assert member_bytes(large) > member_bytes(small)
        assert step_operations(large) > step_operations(small)
    history = make_run(task={"recipe": "mixed"}, train={"history_every": 1, "steps": 10_000})
    assert member_bytes(history) > 10_000 * 19 * 16 * 4


def test_more_facts_are_larger(make_run):
    small = make_run(task=FACTS, model={"kind": "recall"})
    for sections in [
        {"model": {"kind": "recall", "width": 128}},
        {"model": {"kind": "recall", "mlp_width": 512}},
        {"task": FACTS | {"subjects": 40}},
        {"task": FACTS | {"relations": 9}},
        {"task": FACTS | {"hops": 2}},
    ]:
        large = make_run(**{"task": FACTS, "model": {"kind": "recall"}, **sections})
        assert member_bytes(large) > member_bytes(small)
        assert step_operations(large) > step_operations(small)
    batch = make_run(
        task=FACTS | {"subjects": 4000}, model={"kind": "recall"}, train={"fact_batch": 64}
    )
    whole = make_run(task=FACTS | {"subjects": 4000}, model={"kind": "recall"})
    assert step_operations(batch) < step_operations(whole) / 50
