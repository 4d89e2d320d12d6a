"""How large a run is, from its configuration alone: arithmetic, no tensors.

D width · F width of the MLP · C channels and S states of the scan · V vocabulary · n nodes ·
E directed edge examples · T tokens
"""

from functools import lru_cache
from typing import NamedTuple

from geomem.train.config.graph import EdgeList, GraphConfig
from geomem.train.config.model import FeedForward, Mamba, ModelConfig, Node2Vec, Transformer
from geomem.train.config.run import RunConfig, held_out_count
from geomem.train.tasks.vocabulary import FIRST_NODE

MAX_MEMBERS = 256
STACK_BYTES = 2**30
"""Memory that an automatic stack may take."""
CHUNK_BYTES = 3 * 4 * 2**20
"""Of the logits that a whole stack holds at a time, their exponentials and their gradient."""
FLOAT, DOUBLE, INDEX = 4, 8, 8
BLOCK_FLOATS = 3 * 2**22
"""Scores that Node2Vec holds at a time, their exponentials and what their sum takes."""
COPIES = 5
"""Of each parameter: its value, its gradient in two places, and two moments."""


class Work(NamedTuple):
    """What one step of a member does: tokens read, rows of logits made."""

    tokens: int
    rows: int


@lru_cache(maxsize=256)
def _edge_list_counts(path: str, sha256: str | None) -> tuple[int, int]:
    from geomem.train.tasks.edge_list import read_edge_list

    names, edges = read_edge_list(path)
    return len(names), len(edges)


def graph_counts(graph: GraphConfig) -> tuple[int, int]:
    """Nodes and undirected edges; ConfigError for an edge list that cannot be read."""
    if isinstance(graph, EdgeList):
        return _edge_list_counts(graph.path, graph.sha256)
    return graph.node_count, graph.edge_count


def member_parameters(run: RunConfig) -> int:
    """Numbers that one model consists of, frozen ones included."""
    model, D = run.model, run.model.width
    if isinstance(model, Node2Vec):
        return graph_counts(run.graph)[0] * D * (1 if model.tie else 2)
    tables = (FIRST_NODE + graph_counts(run.graph)[0]) * D * (1 if model.tie else 2)
    if isinstance(model, Mamba):
        norms = D * (1 + model.layers) if model.norm else 0
        # Per channel: convolution and its bias, step-size bias, skip, one number per state.
        channel = model.conv + 3 + model.state
        own = model.layers * model.expand * D * channel
        return tables + norms + own + _dense_parameters(model)
    if not isinstance(model, Transformer):
        return tables + _dense_parameters(model)
    positions = {"learned": _context(run) * D, "sinusoidal": 1, "none": 0}[model.positions]
    norms = 2 * D * (1 + model.layers * (2 if model.attention else 1)) if model.norm else 0
    return tables + positions + norms + _dense_parameters(model)


def member_bytes(run: RunConfig) -> int:
    """Estimated memory of one member: parameters, activations of one step, tables, history."""
    work, D = step_work(run), run.model.width
    nodes, edges = graph_counts(run.graph)
    points = run.train.steps // run.train.history_every + 2 if run.train.history_every else 0
    if isinstance(run.model, Node2Vec):
        number = DOUBLE if run.model.dtype == "float64" else FLOAT
        block = min(nodes * nodes * 3, max(nodes * 3, BLOCK_FLOATS))
        floats = (COPIES + 1) * member_parameters(run) + block + points * nodes * D
        return number * floats + INDEX * 5 * 2 * edges
    vocabulary = FIRST_NODE + nodes
    parameters = COPIES * FLOAT * member_parameters(run)
    activations = FLOAT * (work.tokens * _token_floats(run.model) + work.rows * 2 * D)
    logits = 3 * FLOAT * vocabulary
    tables = INDEX * (5 * edges + 2 * nodes + 2 * _context(run) * _path_count(run))
    return parameters + activations + logits + tables + FLOAT * points * nodes * D


def auto_members(run: RunConfig) -> int:
    """How many runs like this one make a stack when nobody says otherwise."""
    return max(1, min(MAX_MEMBERS, (STACK_BYTES - CHUNK_BYTES) // member_bytes(run)))


def step_operations(run: RunConfig) -> int:
    """Floating-point operations of one step of one member, forward and backward."""
    work = step_work(run)
    if isinstance(run.model, Node2Vec):
        return 6 * work.rows * work.rows * run.model.width
    scores = work.rows * (FIRST_NODE + graph_counts(run.graph)[0]) * run.model.width
    return 6 * (work.tokens * _dense_parameters(run.model) + scores)


def step_work(run: RunConfig) -> Work:
    """Tokens and rows of one step; of the larger stage where there are two.

    A full batch of edges computes each node once, whatever its number of neighbours.
    """
    nodes, _ = graph_counts(run.graph)
    edge_rows = nodes if run.train.edge_batch == "all" else run.train.edge_batch
    edges = Work(edge_rows, edge_rows)
    paths = _path_work(run)
    if run.task.recipe == "mixed":
        return Work(edges.tokens + paths.tokens, edges.rows + paths.rows)
    return max(edges, paths)


def _path_work(run: RunConfig) -> Work:
    count = _path_count(run)
    held_out = held_out_count(count, run.task.test_fraction)
    batch = count - held_out if run.train.path_batch == "all" else run.train.path_batch
    if count == 0:
        return Work(0, 0)
    return Work(batch * (_context(run) - run.task.task_token), batch * _targets(run))


def _path_count(run: RunConfig) -> int:
    if run.task.recipe == "edges_only" or isinstance(run.graph, EdgeList):
        return 0
    return run.graph.path_count


def _targets(run: RunConfig) -> int:
    """Targets of a path example; 1 where there are no paths."""
    length = getattr(run.graph, "length", 1) if run.task.recipe != "edges_only" else 1
    return 1 if run.task.target == "hardest_token" else length


def _context(run: RunConfig) -> int:
    """Tokens of the longest example, the task token included."""
    task = run.task
    prefix = 1 + (task.start_node + task.pauses if task.recipe != "edges_only" else 0)
    return task.task_token + prefix + _targets(run) - 1


def _dense_parameters(model: ModelConfig) -> int:
    """Weights and biases of the layers, without tables and norms."""
    D = model.width
    if isinstance(model, Mamba):
        C, rank = model.expand * D, model.rank
        return model.layers * (3 * D * C + C * (rank + 2 * model.state) + rank * C)
    if not isinstance(model, Transformer):
        return model.layers * D * D if isinstance(model, FeedForward) else 0
    F = model.mlp_ratio * D
    attention = 4 * D * D + 4 * D if model.attention else 0
    return model.layers * (attention + 2 * D * F + F + D)


def _token_floats(model: ModelConfig) -> int:
    """Activations that a token leaves behind for the backward pass."""
    D = model.width
    if isinstance(model, Mamba):
        C = model.expand * D
        return model.layers * (4 * D + 8 * C + 2 * C * model.state) + 2 * D
    if not isinstance(model, Transformer):
        return (1 + 2 * model.layers) * D if isinstance(model, FeedForward) else 0
    attention = 7 * D if model.attention else 0
    return model.layers * (attention + 4 * D + 2 * model.mlp_ratio * D) + 4 * D
