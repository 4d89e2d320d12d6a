"""Which directed edges a task teaches. No torch.

E undirected edges of a graph · X directed examples
"""

import numpy as np

from geomem.train.config.errors import ConfigError
from geomem.train.config.task import InWeights
from geomem.train.tasks.graphs import Graph, Ints


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
    fitting = [
        (edges, selves)
        for edges in ("both", "forward", "backward")
        for selves in (False, True)
        if np.array_equal(_directed(graph, edges, selves), examples)
    ]
    if (task.edges, task.self_edges) in fitting:
        return
    told = _words(task.edges, task.self_edges)
    remedy = _words(*fitting[0]) if fitting else "edges: given"
    text = f"task: the lines of graph.edge_file are not those of {told}; they are trained as they "
    raise ConfigError([(None, f"{text}stand, so set task.{remedy}")])


def _words(edges: str, self_edges: bool) -> str:
    return f"edges: {edges}" + (" and task.self_edges: true" if self_edges else "")
