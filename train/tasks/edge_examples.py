"""Which directed edges a task teaches. No torch.

E undirected edges of a graph · X directed examples
"""

import numpy as np

from geomem.train.config.errors import ConfigError, Mark
from geomem.train.config.task import InWeights
from geomem.train.config.words import show_path
from geomem.train.tasks.graphs import Graph, Ints
from geomem.train.tasks.text_data import read_edges, show_edge


def edge_examples(graph: Graph, task: InWeights) -> Ints:
    """Return the directed edges to learn, int64 [X, 2], sorted by source, then target.

    Those of a text graph are what its file gives. Raises ConfigError if the task says otherwise,
    so that a run is never named after edges that it was not taught.
    """
    if graph.examples is None:
        return _directed(graph, task.edges, task.self_edges)
    if task.edges != "given":
        _check_told(graph, graph.examples, task)
    return graph.examples


def _directed(graph: Graph, edges: str, self_edges: bool) -> Ints:
    parts = []
    if edges in ("both", "forward"):
        parts.append(graph.edges)
    if edges in ("both", "backward"):
        parts.append(graph.edges[:, ::-1])
    if self_edges:
        nodes = np.arange(graph.n)
        parts.append(np.stack([nodes, nodes], 1))
    found: Ints = np.unique(np.concatenate(parts), axis=0)
    return found


def _check_told(graph: Graph, examples: Ints, task: InWeights) -> None:
    told = _directed(graph, task.edges, task.self_edges)
    if np.array_equal(told, examples):
        return
    file = graph.edge_file
    assert file is not None
    fields = f"task.edges: {task.edges}" + " and task.self_edges: true" * task.self_edges
    if extra := _first_without(examples, told, graph):
        line = read_edges(file).get(extra, 0)
        mark, text = Mark(show_path(file), line, 1), f"{show_edge(*extra)} is no edge of {fields}"
    else:
        missing = _first_without(told, examples, graph)
        assert missing is not None
        mark = Mark(show_path(file))
        text = f"{show_edge(*missing)}, an edge of {fields}, is not among the lines"
    remedy = _remedy(graph, examples, task)
    raise ConfigError([(mark, f"{text}; lines are trained as they stand, so {remedy}")])


def _first_without(some: Ints, others: Ints, graph: Graph) -> tuple[str, str] | None:
    """The names of the first edge of some that is not among the others."""
    assert graph.names is not None
    base = np.array([graph.n, 1])
    left = np.setdiff1d(some @ base, others @ base)
    if not len(left):
        return None
    u, v = divmod(int(left[0]), graph.n)
    return graph.names[u], graph.names[v]


def _remedy(graph: Graph, examples: Ints, task: InWeights) -> str:
    """What to change of a task so that it tells the edges that there are."""
    edges, self_edges = next(
        (
            (edges, selves)
            for edges in ("both", "forward", "backward")
            for selves in (False, True)
            if np.array_equal(_directed(graph, edges, selves), examples)
        ),
        ("given", False),
    )
    changes = [f"set task.edges: {edges}"] if edges != task.edges else []
    if self_edges != task.self_edges:
        changes.append("set task.self_edges: true" if self_edges else "leave task.self_edges out")
    return " and ".join(changes)
