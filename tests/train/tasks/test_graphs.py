"""Graphs: sizes, canonical order, named sets."""

import networkx as nx
import numpy as np
import pytest

from geomem.train.config import ConfigError
from geomem.train.config.graph import Cycle, EdgeList, Grid, Irregular, PathStar, TreeStar
from geomem.train.tasks.edge_list import name_order
from geomem.train.tasks.graphs import build_graph
from geomem.train.tasks.networkx_adapter import to_networkx, write_edge_list

CONFIGS = [
    PathStar(kind="path_star", arms=4, length=5),
    PathStar(kind="path_star", arms=3, length=2),
    TreeStar(kind="tree_star", arms=3, branching=2, length=4),
    TreeStar(kind="tree_star", arms=2, branching=1, length=3),
    TreeStar(kind="tree_star", arms=5, branching=3, length=2),
    Grid(kind="grid", rows=4, columns=4),
    Grid(kind="grid", rows=1, columns=3),
    Cycle(kind="cycle", nodes=15),
    Irregular(kind="irregular"),
]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_sizes_follow_from_the_configuration(config):
    graph = build_graph(config)
    assert graph.n == config.node_count
    assert len(graph.edges) == config.edge_count
    assert len(np.unique(np.sort(graph.edges, 1), axis=0)) == config.edge_count
    assert graph.edges.dtype == np.int64
    order = np.lexsort((graph.edges[:, 1], graph.edges[:, 0]))
    assert (order == np.arange(len(order))).all()
    assert set(graph.edges.ravel()) == set(range(graph.n))
    assert (len(graph.paths) if graph.paths is not None else 0) == config.path_count


@pytest.mark.parametrize("config", CONFIGS[:5], ids=str)
def test_paths_lead_from_the_root_to_every_leaf(config):
    graph = build_graph(config)
    plain = nx.Graph(graph.edges.tolist())
    leaves = [v for v, d in plain.degree() if d == 1 and v != 0]
    assert sorted(graph.paths[:, -1]) == sorted(leaves)
    for path, branch in zip(graph.paths.tolist(), graph.branch, strict=True):
        assert path == nx.shortest_path(plain, 0, path[-1])
        assert branch == path[1] - graph.paths[:, 1].min() or isinstance(config, PathStar)
    assert len(np.unique(graph.branch)) == config.arms


def test_path_star_keeps_arms_together():
    graph = build_graph(CONFIGS[0])
    assert graph.sets["arms"].tolist()[1] == [0, 5, 6, 7, 8]
    assert graph.sets["root"].tolist() == [0]


def test_irregular_graph_has_two_parts():
    graph = build_graph(Irregular(kind="irregular"))
    parts = sorted(sorted(part) for part in nx.connected_components(to_networkx(graph)))
    assert parts == [graph.sets["part_a"].tolist(), graph.sets["part_b"].tolist()]


def test_grid_is_networkx_grid():
    ours = to_networkx(build_graph(Grid(kind="grid", rows=3, columns=5)))
    theirs = nx.convert_node_labels_to_integers(nx.grid_2d_graph(3, 5))
    assert set(map(frozenset, ours.edges)) == set(map(frozenset, theirs.edges))


def test_edge_list_ignores_order_of_lines_and_repeats(tmp_path):
    text = "# towns\nb a\n10 9\n\n9,b  # by ferry\na b\n"
    first, second = tmp_path / "1.txt", tmp_path / "2.txt"
    first.write_text(text)
    second.write_text("\n".join(reversed(text.splitlines())))
    graph = build_graph(EdgeList(kind="edge_list", path=str(first)))
    again = build_graph(EdgeList(kind="edge_list", path=str(second)))
    assert graph.names == again.names == ("9", "10", "a", "b")
    assert np.sort(graph.edges, 1).tolist() == [[0, 3], [0, 1], [2, 3]]
    assert {frozenset(e) for e in graph.edges.tolist()} == {
        frozenset(e) for e in again.edges.tolist()
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a b\na b c\n", r"list.txt:2:1: found 3 names"),
        ("a a\n", r"list.txt:1:1: a is its own neighbour"),
        ("# nothing\n", "no edges"),
    ],
)
def test_edge_list_problems_name_the_line(tmp_path, text, problem):
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        build_graph(EdgeList(kind="edge_list", path=str(tmp_path / "list.txt")))


def test_numbers_are_ordered_by_value_then_by_their_text():
    names = ["0", "00", "001", "01", "1", "9", "010", "10", "9" * 5000, "a", "b", "²"]
    for order in (names, names[::-1]):
        assert sorted(order, key=name_order) == names


def test_a_byte_order_mark_belongs_to_no_name(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf1 2\n")
    graph = build_graph(EdgeList(kind="edge_list", path=str(tmp_path / "list.txt")))
    assert graph.names == ("1", "2")


def test_odd_names_are_escaped_and_shortened(tmp_path):
    for name, shown in [("\x1b", r"\\x1b"), ("z" * 3000, "z{57}\\.\\.\\.")]:
        (tmp_path / "list.txt").write_text(f"{name} {name}\n")
        with pytest.raises(ConfigError, match=f"list.txt:1:1: {shown} is its own neighbour"):
            build_graph(EdgeList(kind="edge_list", path=str(tmp_path / "list.txt")))


def test_unreadable_edge_list(tmp_path):
    with pytest.raises(ConfigError, match=r"absent: cannot be read: no such file or directory$"):
        build_graph(EdgeList(kind="edge_list", path=str(tmp_path / "absent")))
    (tmp_path / "binary").write_bytes(b"a b\n\xff\xfe\x00")
    message = "binary:2:1: the byte 0xff is not UTF-8 text; save the file as UTF-8$"
    with pytest.raises(ConfigError, match=message):
        build_graph(EdgeList(kind="edge_list", path=str(tmp_path / "binary")))


def test_networkx_round_trip(tmp_path):
    source = nx.karate_club_graph()
    write_edge_list(source, tmp_path / "karate.txt")
    back = to_networkx(build_graph(EdgeList(kind="edge_list", path=str(tmp_path / "karate.txt"))))
    assert nx.utils.graphs_equal(nx.relabel_nodes(back, int), nx.Graph(source.edges()))


def test_networkx_names_that_a_line_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match="must not hold blanks"):
        write_edge_list(nx.Graph([("new york", "b")]), tmp_path / "x")
    lonely = nx.Graph([(0, 1)])
    lonely.add_node(2)
    with pytest.raises(ValueError, match="node 2 has no edge"):
        write_edge_list(lonely, tmp_path / "x")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (nx.Graph([("1", 1), (1, 2)]), r"nodes '1' and 1 would both be named 1; rename one"),
        (nx.Graph([(0, 1), (1, 1)]), r"node 1 is its own neighbour.* set task\.self_edges"),
        (nx.MultiDiGraph([("a", "a")]), r"node 'a' is its own neighbour"),
        (nx.empty_graph(3), r"node 0 has no edge, nor has any other: .* add_edge first"),
        (nx.Graph(), r"there is no node: a file holds one edge at least"),
    ],
)
def test_networkx_graphs_that_a_file_would_change(tmp_path, source, problem):
    with pytest.raises(ValueError, match=problem):
        write_edge_list(source, tmp_path / "x")
    assert not list(tmp_path.iterdir())
