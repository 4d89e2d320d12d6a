"""The smallest graphs of every kind: each is refused on loading, or trains and is measured."""

import numpy as np
import pytest

from geomem.analysis import batches, summaries
from geomem.train import fit
from geomem.train.config.errors import ConfigError
from geomem.train.config.grid_file import load_grid
from tests.analysis.made import make_members

MODELS = {
    "transformer": {"kind": "transformer", "layers": 1, "width": 4, "heads": 1},
    "mamba": {"kind": "mamba", "layers": 1, "width": 4},
    "feed_forward": {"kind": "feed_forward", "layers": 1, "width": 4},
    "node2vec": {"kind": "node2vec", "width": 4},
}
EDGELESS = {
    "one node": ({"kind": "grid", "rows": 1, "columns": 1}, "graph.rows: 1 row of 1 column is one"),
    "no row": ({"kind": "grid", "rows": 0, "columns": 4}, "graph.rows: has to be at least 1"),
    "ring of one": ({"kind": "cycle", "nodes": 1}, "graph.nodes: has to be at least 3, got 1"),
    "ring of two": ({"kind": "cycle", "nodes": 2}, "graph.nodes: has to be at least 3, got 2"),
    "root alone": ({"kind": "path_star", "arms": 3, "length": 1}, "graph.length: has to be at le"),
    "no arm": ({"kind": "path_star", "arms": 0, "length": 3}, "graph.arms: has to be at least 1"),
    "stem": ({"kind": "tree_star", "arms": 1, "length": 1}, "graph.length: has to be at least 2"),
    "empty list": ({"kind": "edge_list", "path": "empty.txt"}, "empty.txt: no edges; a line"),
    "comment": ({"kind": "edge_list", "path": "comment.txt"}, "comment.txt: no edges; a line"),
    "own neighbour": ({"kind": "edge_list", "path": "self.txt"}, "self.txt:1:1: a is its own neig"),
    "empty text": ({"kind": "text", "edge_file": "empty.txt"}, "empty.txt: no edges; a line"),
    "selves": ({"kind": "text", "edge_file": "selves.txt"}, "selves.txt: no edge joins two nodes"),
}
SMALLEST = {
    "pair in a row": {"kind": "grid", "rows": 1, "columns": 2},
    "pair in a column": {"kind": "grid", "rows": 2, "columns": 1},
    "triangle": {"kind": "cycle", "nodes": 3},
    "one arm": {"kind": "path_star", "arms": 1, "length": 2},
    "one branch": {"kind": "tree_star", "arms": 1, "branching": 1, "length": 2},
    "one line": {"kind": "edge_list", "path": "pair.txt"},
    "one example": {"kind": "text", "edge_file": "example.txt"},
}


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = {"comment": "# a b\n", "self": "a a\n", "selves": "a=a\nb=b\n", "empty": ""}
    texts |= {"pair": "a b\n", "example": "a=b\n"}
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text)


def _run(graph, model="transformer", **more):
    decay = {"optim.weight_decay": 0} if model == "node2vec" else {}
    base = {"graph": graph, "model": MODELS[model], "optim.lr": 1e-2, "train.steps": 2}
    return {**base, **decay, **more}


@pytest.mark.parametrize("name", EDGELESS)
def test_a_graph_without_an_edge_is_refused(name):
    graph, problem = EDGELESS[name]
    with pytest.raises(ConfigError) as refused:
        fit(_run(graph))
    assert problem in str(refused.value)


@pytest.mark.parametrize("more", [{}, {"task.self_edges": True}])
def test_one_node_is_refused_whatever_is_learned_of_it(more):
    with pytest.raises(ConfigError, match="2 or more rows or columns"):
        fit(_run(EDGELESS["one node"][0], **more))


def test_one_node_of_a_grid_file_is_refused_with_its_place_and_can_be_excluded(tmp_path):
    path = tmp_path / "g.yaml"
    text = """\
version: 1
defaults:
  model: {kind: node2vec, width: 4}
  optim: {lr: 1e-2, weight_decay: 0}
  train: {steps: 2}
  graph: {kind: grid, columns: 1}
grid:
  graph.rows: [1, 2]
"""
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"g.yaml:8:16: graph.rows: 1 row of 1 column"):
        load_grid(path)
    path.write_text(text + "exclude: [{graph.rows: 1}]\n")
    assert len(load_grid(path).runs) == 1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SMALLEST)
def test_the_smallest_graphs_train(name, model):
    graph = SMALLEST[name]
    for edges in ("given",) if graph["kind"] == "text" else ("both", "forward", "backward"):
        found = fit(_run(graph, model, **{"task.edges": edges}))
        assert found.status == ["done"]
        assert np.isfinite(found.embedding).all()


@pytest.mark.parametrize(
    "more",
    [
        {"task.recipe": "mixed"},
        {"task.recipe": "staged", "train.edge_steps": 1},
        {"task.recipe": "mixed", "task.target": "hardest_token"},
    ],
)
def test_two_paths_of_two_nodes_train(more):
    graph = {"kind": "path_star", "arms": 2, "length": 2}
    found = fit(_run(graph, **more, **{"task.test_fraction": 0.5}))
    assert np.isfinite(found.metrics["exact_match"][-1])


def test_a_path_of_two_nodes_in_context_trains():
    graph = {"kind": "path_star", "arms": 1, "length": 2}
    task = {"kind": "in_context", "labels": 2, "test_examples": 4}
    assert fit(_run(graph, task=task, **{"train.path_batch": 1})).status == ["done"]


def test_a_node_without_neighbours_takes_no_other_graph_its_spectrum():
    lonely, others = make_members(seeds=2), make_members(seeds=1)
    edges = lonely[0].pack.entries["edges"]
    lonely[0].pack.entries["edges"] = edges[(edges != edges.max()).all(1)]
    rows = batches.measure([*lonely, *others], summaries.spectrum)
    assert ["negative_share" in row.metrics for row in rows] == [False, False, True]
    assert all("effective_rank" in row.metrics for row in rows)
