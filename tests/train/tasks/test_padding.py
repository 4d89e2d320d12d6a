"""Tables of graphs of different sizes side by side."""

import pytest

from geomem.train.tasks.in_weights import build_tables
from geomem.train.tasks.padding import pad_tables

GRAPHS = [
    {"kind": "path_star", "arms": 4, "length": 4},
    {"kind": "path_star", "arms": 7, "length": 4},
    {"kind": "tree_star", "arms": 2, "branching": 2, "length": 4},
]


@pytest.fixture
def parts(make_run):
    return [
        build_tables([make_run(s, graph=graph, task={"recipe": "mixed"}) for s in (0, 1)])
        for graph in GRAPHS
    ]


def test_every_member_has_its_own_tables_in_front(parts):
    padded = pad_tables(parts)
    assert padded.vocab_sizes == tuple(size for part in parts for size in part.vocab_sizes)
    assert len(set(padded.vocab_sizes)) == 3
    for i, part in enumerate(parts):
        own = slice(2 * i, 2 * i + 2)
        pairs = [(padded.node_token, part.node_token)]
        for name in ("source", "target", "row", "prefixes"):
            pairs.append((getattr(padded.edges, name), getattr(part.edges, name)))
        for name in ("tokens", "targets", "train", "held_out"):
            pairs.append((getattr(padded.paths, name), getattr(part.paths, name)))
        for whole, mine in pairs:
            assert (whole[own, : mine.shape[1]] == mine).all()
        examples, paths = part.edges.source.shape[1], part.paths.train.shape[1]
        assert (padded.edges.target[own, examples:] == -1).all()
        assert (padded.edges.row[own, examples:] == padded.edges.prefixes.shape[1]).all()
        assert (padded.paths.train[own, paths:] == -1).all()
    assert (padded.paths.targets[:, -1] == -1).all()


def test_one_graph_is_not_padded(parts):
    assert pad_tables(parts[:1]) is parts[0]


def test_known_tokens(parts):
    padded = pad_tables(parts)
    assert padded.known_tokens(padded.vocab).tolist() == list(padded.vocab_sizes)
    assert parts[0].known_tokens(parts[0].vocab) is None
    assert parts[0].known_tokens(padded.vocab).tolist() == list(parts[0].vocab_sizes)
