"""Text data sets that cannot be used: what is wrong, in which line, and what to do."""

import pytest

from geomem.train.config import ConfigError
from geomem.train.config.one_run import read_run
from geomem.train.tasks.graphs import build_graph
from tests.train.tasks.text_files import EDGES, SHORT

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
