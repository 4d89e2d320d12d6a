"""How large a run's task is, from its configuration alone: arithmetic, no tensors."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from geomem.train.config.graph import FileGraph, GraphConfig, PathStar, Text
from geomem.train.config.model import Node2Vec
from geomem.train.config.run import RunConfig
from geomem.train.config.task import Facts, InContext, InWeights, held_out_count
from geomem.train.tasks import facts_size
from geomem.train.tasks.ahead import AT_ONCE, BLOCKS, epochs_of_block
from geomem.train.tasks.prompts import context_length, label_count, target_count
from geomem.train.tasks.vocabulary import FIRST_NODE

if TYPE_CHECKING:
    from geomem.train.tasks.graphs import Graph


class Work(NamedTuple):
    """What one step of a member does: tokens read, rows of logits made, and attention.

    pairs: positions times positions of all sequences.
    """

    tokens: int
    rows: int
    pairs: int


class TaskSize(NamedTuple):
    """nodes: rows of the embedding in a pack; special: tokens beside them; context: tokens of the
    longest sequence; work: that of the larger stage where there are two; indices: numbers, int64,
    that its tables hold for each member.
    """

    nodes: int
    special: int
    context: int
    work: Work
    indices: int

    @property
    def vocabulary(self) -> int:
        """Tokens that a model knows."""
        return self.special + self.nodes


class Paths(NamedTuple):
    """How many there are, how many of them are trained on, and the nodes of one."""

    total: int
    trained: int
    length: int


NO_PATHS = Paths(0, 0, 1)


@lru_cache(maxsize=256)
def _read(graph: FileGraph) -> "Graph":
    """The graph of files; the digests among its fields tell whether they are still the same."""
    from geomem.train.tasks.graphs import build_graph

    return build_graph(graph)  # type: ignore[arg-type]


@lru_cache(maxsize=256)
def _check_edges(graph: Text, task: InWeights) -> None:
    from geomem.train.tasks.edge_examples import edge_examples

    edge_examples(_read(graph), task)  # refuses a task that names other edges


def graph_counts(graph: GraphConfig) -> tuple[int, int]:
    """Nodes and undirected edges; ConfigError for files that cannot be used."""
    if isinstance(graph, FileGraph):
        found = _read(graph)
        return found.n, len(found.edges)
    return graph.node_count, graph.edge_count


def task_size(run: RunConfig) -> TaskSize:
    """Sizes of the run's task; ConfigError for files that cannot be used, or do not fit it."""
    return _SIZES[type(run.task)](run, run.task)


def _in_weights(run: RunConfig, task: InWeights) -> TaskSize:
    """A full batch of edges computes each node once, whatever its number of neighbours."""
    graph = run.graph
    assert graph is not None
    nodes, edge_count = graph_counts(graph)
    special = 0 if isinstance(run.model, Node2Vec) else FIRST_NODE
    paths = paths_of(graph, task)
    if isinstance(graph, Text):
        _check_edges(graph, task)
    targets = 1 if task.target == "hardest_token" else paths.length
    context = _context(task, targets)
    edge_rows = nodes if run.train.edge_batch == "all" else run.train.edge_batch
    works = {
        "edges": Work(edge_rows, edge_rows, edge_rows),
        "paths": _path_work(run, task, paths, context, targets),
    }
    stages = [[works[name] for name in stage] for stage in task.curriculum]
    work = max(Work(*map(sum, zip(*stage, strict=True))) for stage in stages)
    indices = 5 * edge_count + 2 * nodes + 2 * context * paths.total
    indices += _ordered(2 * edge_count, run.train.edge_batch)
    if paths.total:
        indices += _ordered(paths.trained, run.train.path_batch)
    return TaskSize(nodes, special, context, work, indices)


def _ordered(rows: int, batch: int | str) -> int:
    """Numbers that say which of a table's rows come next; none where each step takes all."""
    return 0 if batch == "all" else BLOCKS * epochs_of_block(rows, int(batch)) * rows


def _path_work(run: RunConfig, task: InWeights, paths: Paths, context: int, targets: int) -> Work:
    batch = paths.trained if run.train.path_batch == "all" else run.train.path_batch
    tokens = batch * (context - task.task_token)
    return Work(tokens, batch * targets, tokens * context)


def paths_of(graph: GraphConfig, task: InWeights) -> Paths:
    """The path examples of a graph; ConfigError for files that cannot be used."""
    if task.recipe == "edges_only":
        return NO_PATHS
    if isinstance(graph, FileGraph):
        found = _read(graph)
        if found.paths is None or found.held_out is None:
            return NO_PATHS
        count, length = found.paths.shape
        return Paths(count, count - len(found.held_out), length)
    count = graph.path_count
    return Paths(
        count, count - held_out_count(count, task.test_fraction), getattr(graph, "length", 1)
    )


def _context(task: InWeights, targets: int) -> int:
    """Tokens of the longest example, the task token included."""
    prefix = 1 + (task.start_node + task.pauses if task.recipe != "edges_only" else 0)
    return task.task_token + prefix + targets - 1


def _in_context(run: RunConfig, task: InContext) -> TaskSize:
    """Examples of AT_ONCE steps are drawn together; that takes four numbers per thing shuffled."""
    graph, batch = run.graph, run.train.path_batch
    assert isinstance(graph, PathStar)
    assert batch != "all"
    context, labels = context_length(graph, task), label_count(graph, task)
    tokens, targets = batch * context, target_count(graph, task)
    work = Work(tokens, batch * targets, tokens * context)
    many = AT_ONCE * batch
    kept = BLOCKS * many * (context + targets)
    indices = many * (4 * (labels + graph.edge_count) + 2 * context) + kept
    return TaskSize(labels, FIRST_NODE, context, work, indices)


def _facts(run: RunConfig, task: Facts) -> TaskSize:
    """Its tables hold every fact, the order of the queries if they are sampled, and a batch."""
    context, targets = facts_size.context_length(task), facts_size.target_count(task)
    trained = task.query_count - task.test_count
    batch = trained if run.train.fact_batch == "all" else run.train.fact_batch
    ordered = _ordered(trained, run.train.fact_batch)
    split = task.query_count if task.test_fraction else 0
    work = Work(batch * context, batch * targets, batch * context**2)
    indices = task.subjects * task.relations + split + ordered + batch * (2 * context + 2 * targets)
    special = facts_size.token_count(task) - task.subjects
    return TaskSize(task.subjects, special, context, work, indices)


_SIZES: dict[type, Callable[[RunConfig, Any], TaskSize]] = {
    InWeights: _in_weights,
    InContext: _in_context,
    Facts: _facts,
}
