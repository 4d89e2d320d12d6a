"""Text data sets: read exactly as they are, refused with the place, trained like our own graphs."""

import numpy as np
import pytest

from geomem.analysis.findings.choice import stars
from geomem.analysis.sweeps import open_sweep
from geomem.train import fit
from geomem.train.config import ConfigError, run_id
from geomem.train.config.one_run import read_run
from geomem.train.tasks.graphs import build_graph
from tests.analysis.trained import train_sweep
from tests.train.tasks.text_files import EDGES, SHORT, write_files

STAR = {"kind": "path_star", "arms": 8, "length": 4}
TREE = {"kind": "tree_star", "arms": 3, "branching": 2, "length": 4}


def test_everything_is_as_the_files_say(files):
    graph = files()
    assert graph.names == ("a", "b", "r", "x", "y")
    named = np.array(graph.names)
    lines = {tuple(line.split("=")) for line in EDGES.split()}
    assert {tuple(pair) for pair in named[graph.examples]} == lines
    assert {tuple(pair) for pair in named[graph.edges]} == {
        ("r", "a"), ("a", "x"), ("r", "b"), ("b", "y"),
    }  # fmt: skip
    assert named[graph.paths].tolist() == [["r", "a", "x"], ["r", "b", "y"]]
    assert graph.held_out.tolist() == [1]
    assert named[graph.sets["arms"]].tolist() == named[graph.paths].tolist()
    assert named[graph.sets["root"]].tolist() == ["r"]
    assert named[graph.sets["leaves"]].tolist() == ["x", "y"]


def test_windows_lines_and_empty_ones_are_fine(files):
    one = files()
    other = files(EDGES.replace("\n", "\r\n\r\n"), "x=r,a,x", "\ny=r,b,y\n\n")
    assert np.array_equal(one.examples, other.examples)
    assert np.array_equal(one.paths, other.paths)


def test_paths_that_share_nodes_are_paths_and_not_arms(tmp_path):
    section = write_files(tmp_path, TREE)
    graph = build_graph(read_run({**SHORT, "graph": section}).graph)
    tree = build_graph(read_run({**SHORT, "graph": TREE}).graph)
    assert "arms" not in graph.sets
    for name in ("edges", "paths", "branch"):
        assert np.array_equal(getattr(graph, name), getattr(tree, name))


def test_a_byte_order_mark_belongs_to_no_name(files):
    graph = files("\ufeff" + EDGES, "\ufeffx=r,a,x\n", "\ufeffy=r,b,y\n")
    assert graph.names == files().names


def test_numbers_of_any_length_are_names(files):
    long = "9" * 5000
    graph = files(f"{EDGES}r=0{long}\nr={long}\nr=07\n7=r\n")
    assert graph.names[:4] == ("07", "7", f"0{long}", long)


@pytest.mark.parametrize("name", [str, "n{:05d}".format])
@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("graph", [STAR, TREE])
@pytest.mark.parametrize("task", [{}, {"edges": "backward", "reverse_paths": True}])
def test_a_graph_written_as_text_trains_to_the_same_numbers(tmp_path, graph, seed, name, task):
    """Names in the order of the nodes: nothing but the way in is another."""
    section = write_files(tmp_path, graph, seed, name, **task)
    fields = {**SHORT, **{f"task.{key}": value for key, value in task.items()}, "seed": seed}
    ours, theirs = fit({**fields, "graph": graph}), fit({**fields, "graph": section})
    assert set(theirs.tensors) == set(ours.tensors)
    for name_ in ours.tensors:
        assert np.array_equal(ours.tensor(name_), theirs.tensor(name_), equal_nan=True), name_


def test_names_in_another_order_are_the_same_graph(tmp_path):
    """A relabelling moves rows and seeds of nodes, and what is learned stays."""
    wide = {"kind": "transformer", "layers": 1, "width": 16, "heads": 2}
    learning = {**SHORT, "model": wide, "train": {"steps": 300}, "seed": 1}
    section = write_files(tmp_path, STAR, 1, name=lambda node: f"n{(7 * node) % 25}")
    ours, theirs = fit({**learning, "graph": STAR}), fit({**learning, "graph": section})
    for result in (ours, theirs):
        assert result.metrics["edge_recovery"][-1] == 1
        assert result.metrics["train_exact_match"][-1] == 1
    assert ours.tensor("arms").shape == theirs.tensor("arms").shape
    names = theirs.metadata["node_names"]
    arms = {tuple(names[node] for node in arm) for arm in theirs.tensor("arms").tolist()}
    assert arms == {
        tuple(f"n{(7 * node) % 25}" for node in arm) for arm in ours.tensor("arms").tolist()
    }


def test_the_content_of_all_files_is_the_identity(tmp_path):
    (tmp_path / "copy").mkdir()
    one, copy = (write_files(folder, STAR) for folder in (tmp_path, tmp_path / "copy"))
    first = run_id(read_run({**SHORT, "graph": one}))
    assert run_id(read_run({**SHORT, "graph": copy})) == first
    for name in ("edge_file", "train_file", "test_file"):
        path = tmp_path / "copy" / f"{name}.txt"
        before = path.read_text()
        path.write_text("\n".join(reversed(before.splitlines())) + "\n")
        assert run_id(read_run({**SHORT, "graph": copy})) != first, name
        path.write_text(before)


@pytest.mark.parametrize(
    ("taught", "told", "remedy"),
    [
        ({"edges": "forward"}, {}, "set task.edges: forward"),
        ({"edges": "backward"}, {"edges": "forward"}, "set task.edges: backward"),
        ({"self_edges": True}, {}, "set task.self_edges: true"),
        ({}, {"self_edges": True}, "leave task.self_edges out"),
        (
            {"edges": "forward"},
            {"self_edges": True},
            "set task.edges: forward and leave task.self_edges out",
        ),
        (
            {"edges": "forward", "self_edges": True},
            {},
            "set task.edges: forward and set task.self_edges: true",
        ),
    ],
)
def test_a_task_has_to_name_the_edges_that_the_file_has(tmp_path, taught, told, remedy):
    section = write_files(tmp_path, STAR, **taught)
    fields = {**SHORT, "graph": section}
    with pytest.raises(ConfigError, match=f"so {remedy}$"):
        fit({**fields, **{f"task.{name}": value for name, value in told.items()}})
    same = fit({**fields, **{f"task.{name}": value for name, value in taught.items()}})
    given = fit({**fields, "task.edges": "given"})
    assert np.array_equal(same.embedding, given.embedding)


@pytest.mark.parametrize(
    ("edges", "told", "message"),
    [
        (
            EDGES + "a=a\n",
            {},
            ":9:1: a=a is no edge of task.edges: both; lines are trained as they stand, so set "
            "task.edges: given",
        ),
        (
            EDGES + "\x1b=\x1b\n",
            {"edges": "forward"},
            ":9:1: \\x1b=\\x1b is no edge of task.edges: forward; lines are trained as they stand, "
            "so set task.edges: given",
        ),
        (
            EDGES + "a=a\n",
            {"self_edges": True},
            ": b=b, an edge of task.edges: both and task.self_edges: true, is not among the lines; "
            "lines are trained as they stand, so set task.edges: given and leave task.self_edges "
            "out",
        ),
        (
            EDGES + "\x1b=r\n",
            {},
            ": r=\\x1b, an edge of task.edges: both, is not among the lines; lines are trained as "
            "they stand, so set task.edges: given",
        ),
    ],
)
def test_an_edge_that_was_not_told_is_named(files, tmp_path, edges, told, message):
    files(edges)
    graph = {"kind": "text", "edge_file": str(tmp_path / "edge.txt")}
    fields = {f"task.{name}": value for name, value in told.items()}
    with pytest.raises(ConfigError) as caught:
        fit({**SHORT, "task.recipe": "edges_only", "graph": graph, **fields})
    assert str(caught.value) == f"{tmp_path}/edge.txt{message}"


def test_edges_of_no_regime_can_be_given(files, tmp_path):
    files(edges="r=a\na=x\nx=a\nr=b\nb=y\n")
    graph = {"kind": "text", "edge_file": str(tmp_path / "edge.txt")}
    fields = {**SHORT, "task.recipe": "edges_only", "graph": graph}
    with pytest.raises(ConfigError, match=r"so set task\.edges: given"):
        fit(fields)
    assert fit({**fields, "task.edges": "given"}).status == ["done"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"graph": {"test_file": None}}, "graph.test_file: paths need both files, and test_file"),
        (
            {"graph": {"test_file": None, "train_file": None}},
            "task.recipe: recipe mixed needs paths, and a text graph without train_file and",
        ),
        ({"task.test_fraction": 0.5}, "task.test_fraction: the test paths of a text graph are"),
        ({"task.split": "first_token"}, "task.split: the test paths of a text graph are those"),
        ({"task": {"edges": "given", "self_edges": True}}, "task.self_edges: edges given is what"),
        ({"graph": STAR, "task.edges": "given"}, "task.edges: edges given belongs to a graph of"),
    ],
)
def test_fields_that_the_files_decide_are_refused(tmp_path, change, problem):
    section = write_files(tmp_path, STAR)
    fields = {**SHORT, "graph": section}
    if "graph" in change:
        fields["graph"] = (
            change["graph"] if "kind" in change["graph"] else section | change["graph"]
        )
    fields |= {name: value for name, value in change.items() if name != "graph"}
    with pytest.raises(ConfigError, match=problem):
        read_run(fields)


def test_a_sweep_finds_files_beside_its_grid_and_stars_in_them(tmp_path):
    write_files(tmp_path, STAR)
    sweep = train_sweep(
        tmp_path,
        """
version: 1
defaults:
  graph: {kind: text, edge_file: edge_file.txt, train_file: train_file.txt,
    test_file: test_file.txt}
  task.recipe: mixed
  model: {kind: transformer, layers: 1, width: 8, heads: 2}
  optim.lr: 1e-2
  train.steps: 4
seeds: 0-1
execution: {workers: 1}
""",
    )
    members = stars(open_sweep(sweep), 8)
    assert len(members) == 2
    assert members[0].pack.metadata["node_names"] == [str(node) for node in range(25)]
