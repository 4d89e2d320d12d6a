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
from tests.train.tasks.text_files import write_files

STAR = {"kind": "path_star", "arms": 8, "length": 4}
TREE = {"kind": "tree_star", "arms": 3, "branching": 2, "length": 4}
SHORT = {
    "task.recipe": "mixed",
    "model": {"kind": "transformer", "layers": 1, "width": 8, "heads": 2},
    "optim.lr": 1e-2,
    "train": {"steps": 12, "eval_every": 4, "edge_batch": 16, "path_batch": 4},
}
EDGES = "r=a\na=r\na=x\nx=a\nr=b\nb=r\nb=y\ny=b\n"


@pytest.fixture
def files(tmp_path):
    """Return a function that writes texts and builds the graph of them."""

    def build(edges=EDGES, train="x=r,a,x\n", test="y=r,b,y\n"):
        texts = {"edge_file": edges, "train_file": train, "test_file": test}
        given = {name: text for name, text in texts.items() if text is not None}
        for name, text in given.items():
            (tmp_path / f"{name[:-5]}.txt").write_bytes(text.encode())
        section = {name: str(tmp_path / f"{name[:-5]}.txt") for name in given}
        return build_graph(read_run({**SHORT, "graph": {"kind": "text", **section}}).graph)

    return build


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


MEND = "; correct the path, or add an edge to graph.edge_file"
LONG = "z" * 3000
ODD = f"\x1b={LONG}\n{LONG}=\x1b\nr=\x1b\nr={LONG}\n"
BAD_EDGES = [
    ("r a\n", "edge.txt:1:4: no `=` in 'r a'; an edge is `u=v`"),
    ("r=a\nr=a=b\n", "edge.txt:2:4: a second `=`; an edge is `u=v`"),
    ("r=\n", "edge.txt:1:3: a name is missing; an edge is `u=v`"),
    ("r=a,b\n", "edge.txt:1:5: an edge joins two nodes, as in `u=v`"),
    ("r=a b\n", "edge.txt:1:3: 'a b' holds a blank; an edge is `u=v`, without blanks"),
    ("r=a\na=r\nr=a\n", "edge.txt:3:1: r=a is given twice, first in line 1; remove one of them"),
    ("\n", "edge.txt: no edges; a line holds one, such as `u=v`"),
    ("r=r\n", "edge.txt: no edge joins two nodes, all are like r=r; add others"),
    ("# towns\nr=a\n", "edge.txt:1:1: comments, as after `#`, are not part of this format; remove"),
    ("r=a\n #a=b\n", "edge.txt:2:2: comments, as after `#`, are not part of this format; remove"),
    ("\x1br=a\n\x1br=a\n", "edge.txt:2:1: \\x1br=a is given twice"),
    (f"r={LONG}\n" * 2, f"edge.txt:2:1: r={LONG[:57]}... is given twice"),
]
BAD_PATHS = [
    ("x=r,q,x\n", f"train.txt:1:5: no edge has the node q{MEND}"),
    ("q=r,a,x\n", f"train.txt:1:1: no edge has the node q{MEND}"),
    ("x=r,b,x\n", f"train.txt:1:7: no edge joins b and x, so this is no walk on the graph{MEND}"),
    (
        "x=r,a\n",
        "train.txt:1:5: the path ends in a and not in x, which stands before `=`; a path",
    ),
    ("x=x\n", "train.txt:1:3: a path needs two nodes at least, and x is one; a path is"),
    (
        "x=a,r,a,x\n",
        "train.txt:1:7: a stands twice in the path; a path visits a node once, so",
    ),
    ("x=r,r,x\n", "train.txt:1:5: r stands twice in the path"),
    ("# paths\n", "train.txt:1:1: comments, as after `#`, are not part of this format; remove the"),
    ("x,y=r,a,x\n", "train.txt:1:3: one leaf stands before the `=`; a path is "),
    ("x=r,,x\n", "train.txt:1:5: a name is missing; a path is `leaf=root,...,leaf`"),
    (
        "x=r,a,x\na=r,a\n",
        "train.txt:2:3: a path of 2 nodes, and the first one, {folder}/train.txt:1, has 3; give",
    ),
    ("x=r,a,x\nx=r,a,x\n", "train.txt:2:1: x has a path already: {folder}/train.txt:1; remove"),
    ("", "train.txt: no paths; a path is `leaf=root,...,leaf`"),
]


@pytest.mark.parametrize(("text", "message"), BAD_EDGES)
def test_edges_that_cannot_be_used(files, tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        files(edges=text)
    assert str(caught.value).startswith(f"{tmp_path}/{message}")


@pytest.mark.parametrize(("text", "message"), BAD_PATHS)
def test_paths_that_cannot_be_used(files, tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        files(train=text)
    assert str(caught.value).startswith(f"{tmp_path}/{message.format(folder=tmp_path)}")


def test_a_test_leaf_that_is_trained_on_is_refused(files, tmp_path):
    with pytest.raises(ConfigError) as caught:
        files(test="y=r,b,y\nx=r,a,x\n")
    place = f"{tmp_path}/test.txt:2:1: x has a path already: {tmp_path}/train.txt:1; "
    assert str(caught.value).startswith(place)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("\x1b=r,\x1b,\x1b\n", "\\x1b stands twice"),
        ("x=a,\x1b,x\n", "no edge joins a and \\x1b, so"),
        (f"x=a,{LONG},x\n", f"no edge joins a and {LONG[:57]}..., so"),
        ("x=r,\x1b\n", "the path ends in \\x1b and not in x, which"),
        (f"x=r,{LONG}\n", f"the path ends in {LONG[:57]}... and not in x, which"),
        ("\x1b=\x1b\n", "a path needs two nodes at least, and \\x1b is one"),
        ("\x1b=r,\x1b\n\x1b=r,\x1b\n", "\\x1b has a path already"),
    ],
)
def test_odd_names_are_escaped_and_shortened(files, path, message):
    with pytest.raises(ConfigError) as caught:
        files(edges=EDGES + ODD, train=path)
    assert f": {message}" in str(caught.value)


def test_odd_folders_are_escaped(tmp_path):
    edges = tmp_path / "\x1b.txt"
    graph = {"kind": "text", "edge_file": str(edges)}
    for text, place in [("r\n", ":1:2"), ("", ""), ("r=r\n", "")]:
        edges.write_text(text)
        with pytest.raises(ConfigError) as caught:
            build_graph(read_run({**SHORT, "task.recipe": "edges_only", "graph": graph}).graph)
        assert str(caught.value).startswith(f"{tmp_path}/\\x1b.txt{place}: no ")


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"r=a\na=\xe9\n", "2:3: the byte 0xe9"),
        ("r=a\n".encode("utf-16"), "1:1: the byte 0xff"),
        (b"r=a\na=r\nr=\xc3", "3:3: the byte 0xc3"),
    ],
)
def test_bytes_that_are_no_text_are_refused(tmp_path, files, content, place):
    files()
    (tmp_path / "edge.txt").write_bytes(content)
    graph = {"kind": "text", "edge_file": str(tmp_path / "edge.txt")}
    message = f"edge.txt:{place} is not UTF-8 text; save the file as UTF-8$"
    with pytest.raises(ConfigError, match=message):
        build_graph(read_run({**SHORT, "task.recipe": "edges_only", "graph": graph}).graph)


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
