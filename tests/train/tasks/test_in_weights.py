"""The tables of the in-weights task: what is read, what is predicted, what is held out."""

import numpy as np
import pytest

from geomem.train.tasks.in_weights import build_tables
from geomem.train.tasks.vocabulary import FIRST_NODE, Special

TREE = {"kind": "tree_star", "arms": 4, "branching": 2, "length": 4}


def _nodes(tables, k, tokens):
    """Back from tokens to canonical nodes; special tokens stay as they are, negative."""
    inverse = {token: node for node, token in enumerate(tables.node_token[k].tolist())}
    return [inverse.get(t, -t - 1) for t in tokens.tolist()]


def test_labels_are_permutations_drawn_from_the_seed(make_run):
    tables = build_tables([make_run(seed) for seed in (0, 1)])
    n = tables.graph.n
    assert (tables.node_token.sort(1).values == FIRST_NODE + np.arange(n)).all()
    assert (tables.node_token[0] != tables.node_token[1]).any()
    assert (tables.node_token[1:] == build_tables([make_run(1)]).node_token).all()
    assert tables.vocab == FIRST_NODE + n


@pytest.mark.parametrize(
    ("edges", "self_edges", "count"),
    [("both", False, 36), ("forward", False, 18), ("backward", False, 18), ("both", True, 55)],
)
def test_edge_regimes(make_run, edges, self_edges, count):
    tables = build_tables([make_run(3, task={"edges": edges, "self_edges": self_edges})])
    table = tables.edges
    sources, targets = (_nodes(tables, 0, t[0]) for t in (table.source, table.target))
    found = set(zip(sources, targets, strict=True))
    forward = set(map(tuple, tables.graph.edges.tolist()))
    backward = {(b, a) for a, b in forward}
    expected = {"both": forward | backward, "forward": forward, "backward": backward}[edges]
    if self_edges:
        expected |= {(u, u) for u in range(tables.graph.n)}
    assert found == expected
    assert len(sources) == count
    assert (table.prefixes[0][table.row[0]] == table.source[0]).all()


@pytest.mark.parametrize(
    ("task", "tokens", "targets", "first_hop"),
    [
        ({}, [3, "P", 0, 1, 2], [0, 1, 2, 3], 1),
        ({"pauses": 0}, [3, 0, 1, 2], [0, 1, 2, 3], 1),
        ({"pauses": 2, "start_node": True}, [0, 3, "P", "P", 0, 1, 2], [0, 1, 2, 3], 1),
        ({"reverse_paths": True}, [3, "P", 3, 2, 1], [3, 2, 1, 0], 2),
        ({"teacherless": True}, [3, "P", "$", "$", "$"], [0, 1, 2, 3], 1),
        ({"target": "hardest_token"}, [3, "P"], [1], 0),
    ],
)
def test_path_examples(make_run, task, tokens, targets, first_hop):
    tables = build_tables([make_run(0, task={"recipe": "mixed", **task})])
    special = {"P": -Special.PAUSE - 1, "$": -Special.TEACHERLESS - 1}
    # The first arm of G(6, 4) is 0 1 2 3: the root and nodes in canonical order.
    assert _nodes(tables, 0, tables.paths.tokens[0, 0]) == [special.get(t, t) for t in tokens]
    assert _nodes(tables, 0, tables.paths.targets[0, 0]) == targets
    assert tables.paths.first_hop == first_hop
    assert tables.path_tag.tolist() == [[Special.PATH]]
    assert tables.context == 1 + len(tokens)


def test_without_task_token(make_run):
    tables = build_tables([make_run(0, task={"recipe": "mixed", "task_token": False})])
    assert tables.edge_tag.shape == tables.path_tag.shape == (1, 0)
    assert tables.context == 5


def test_leaves_are_split_per_seed(make_run):
    runs = [make_run(s, task={"recipe": "mixed"}, graph={"arms": 40}) for s in range(3)]
    paths = build_tables(runs).paths
    for k in range(3):
        train, held_out = paths.train[k].tolist(), paths.held_out[k].tolist()
        assert len(held_out) == 10
        assert sorted(train + held_out) == list(range(40))
    assert paths.held_out[0].tolist() != paths.held_out[1].tolist()


def test_split_at_first_token_keeps_subtrees_whole(make_run):
    task = {"recipe": "mixed", "split": "first_token"}
    tables = build_tables([make_run(0, graph=TREE, task=task)])
    branch = tables.graph.branch
    train, held_out = (set(branch[rows[0]]) for rows in (tables.paths.train, tables.paths.held_out))
    assert len(held_out) == 1
    assert train | held_out == {0, 1, 2, 3}
    assert not train & held_out


def test_split_at_leaf_divides_leaves(make_run):
    tables = build_tables([make_run(0, graph=TREE, task={"recipe": "mixed"})])
    assert tables.paths.held_out.shape == (1, 4)
