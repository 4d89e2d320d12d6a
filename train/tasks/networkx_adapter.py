"""Between geomem's graphs and networkx, for those who have it installed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from geomem.train.packs import atomic_write
from geomem.train.tasks.graphs import Graph

if TYPE_CHECKING:
    import networkx as nx


def to_networkx(graph: Graph) -> "nx.Graph":
    """Return an undirected networkx graph over range(n), or over the names if there are any."""
    import networkx as nx

    label = graph.names or range(graph.n)
    result = nx.Graph()
    result.add_nodes_from(label)
    result.add_edges_from((label[a], label[b]) for a, b in graph.edges.tolist())
    return result


def write_edge_list(source: "nx.Graph", path: str | Path) -> None:
    """Write a networkx graph as the file that `graph: {kind: edge_list}` reads.

    Edges of a directed graph keep their direction as parent to child. Raises DiskError, and
    ValueError for what the file cannot say: names that a line cannot hold, or that two nodes would
    share, a node that is its own neighbour or has none, and a graph without edges.
    """
    _check_edges(source)
    names = _names(source)
    lines = [f"{names[a]} {names[b]}\n" for a, b in source.edges()]
    atomic_write(Path(path), "".join(lines).encode())


def _check_edges(source: "nx.Graph") -> None:
    if not source.number_of_edges():
        lonely = (f"node {node!r} has no edge, nor has any other" for node in source)
        who = next(lonely, "there is no node")
        raise ValueError(f"{who}: a file holds one edge at least; add_edge first")
    for a, b in source.edges():
        if a == b:
            text = f"node {a!r} is its own neighbour, which a file cannot hold"
            remedy = "remove_edges_from(list(nx.selfloop_edges(graph))) and set task.self_edges"
            raise ValueError(f"{text}; {remedy} for such edges")
    for node, degree in source.degree():
        if degree == 0:
            raise ValueError(f"node {node!r} has no edge, so there is nothing to memorise of it")


def _names(source: "nx.Graph") -> dict[Any, str]:
    """The name of each node in the file, no two alike."""
    nodes: dict[str, Any] = {}
    for node in source:
        name = str(node)
        if not name or any(c in name for c in ",#") or len(name.split()) != 1:
            raise ValueError(f"node {name!r}: names must not hold blanks, commas or #")
        if name in nodes:
            text = f"nodes {nodes[name]!r} and {node!r} would both be named {name}"
            raise ValueError(f"{text}; rename one of them with nx.relabel_nodes")
        nodes[name] = node
    return {node: name for name, node in nodes.items()}
