"""Between geomem's graphs and networkx, for those who have it installed."""

from pathlib import Path
from typing import TYPE_CHECKING

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

    Edges of a directed graph keep their direction as parent to child. Raises ValueError for names
    that a line cannot hold and for nodes without an edge, and DiskError.
    """
    lonely = [node for node, degree in source.degree() if degree == 0]
    if lonely:
        raise ValueError(f"node {lonely[0]!r} has no edge, so there is nothing to memorise of it")
    names = {node: str(node) for node in source}
    for name in names.values():
        if not name or any(c in name for c in ",#") or len(name.split()) != 1:
            raise ValueError(f"node {name!r}: names must not hold blanks, commas or #")
    lines = [f"{names[a]} {names[b]}\n" for a, b in source.edges()]
    atomic_write(Path(path), "".join(lines).encode())
