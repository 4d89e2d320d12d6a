"""How long an in-context prompt is and what stands where: arithmetic, no torch."""

from geomem.train.config.graph import PathStar
from geomem.train.config.task import InContext


def label_count(graph: PathStar, task: InContext) -> int:
    """Tokens that can name a node."""
    return task.labels or 2 * graph.node_count


def target_count(graph: PathStar, task: InContext) -> int:
    """Targets of one example."""
    return 1 if task.target == "hardest_token" else graph.length


def context_length(graph: PathStar, task: InContext) -> int:
    """Tokens that the model reads of one example.

    Between the edges and the path stand a separator (in the place of the last delimiter, if there
    are any), the root, the goal, the task token and the pauses.
    """
    edges = graph.edge_count * 3 if task.delimiters else graph.edge_count * 2 + 1
    return edges + 3 + task.pauses + target_count(graph, task) - 1


def first_hop_at(graph: PathStar, task: InContext) -> int:
    """Which target is the first node after the root."""
    if task.target == "hardest_token":
        return 0
    return graph.length - 2 if task.reverse_paths else 1
