"""How large a run is, from its configuration alone: arithmetic, no tensors.

D width · F width of the MLP · C channels and S states of the scan · V vocabulary · n nodes ·
E directed edge examples · T tokens
"""

from geomem.train.config.model import FeedForward, Mamba, ModelConfig, Node2Vec, Recall, Transformer
from geomem.train.config.run import RunConfig
from geomem.train.config.task import Facts
from geomem.train.sweep import recall_size
from geomem.train.sweep.task_size import Work, graph_counts, task_size

CHUNK_BYTES = 3 * 4 * 2**20
"""Of the logits that a whole stack holds at a time, their exponentials and their gradient."""
FLOAT, DOUBLE, INDEX = 4, 8, 8
BLOCK_FLOATS = 3 * 2**22
"""Scores that Node2Vec holds at a time, their exponentials and what their sum takes."""
SCORE_COPIES = 3
"""Of attention's scores, in the layer that is at work."""
COPIES = 5
"""Of each parameter: its value, its gradient in two places, and two moments."""


def member_parameters(run: RunConfig) -> int:
    """Numbers that one model consists of, frozen ones included."""
    model, D, size = run.model, run.model.width, task_size(run)
    if isinstance(model, Recall):
        assert isinstance(run.task, Facts)
        return recall_size.parameters(model, run.task, size.context)
    tables = size.vocabulary * D * (1 if model.tie else 2)
    if isinstance(model, Node2Vec):
        return tables
    if isinstance(model, Mamba):
        norms = D * (1 + model.layers) if model.norm else 0
        # Per channel: convolution and its bias, step-size bias, skip, one number per state.
        channel = model.conv + 3 + model.state
        own = model.layers * model.expand * D * channel
        return tables + norms + own + _dense_parameters(model)
    if not isinstance(model, Transformer):
        return tables + _dense_parameters(model)
    positions = {"learned": size.context * D, "sinusoidal": 1, "none": 0}[model.positions]
    norms = 2 * D * (1 + model.layers * (2 if model.attention else 1)) if model.norm else 0
    return tables + positions + norms + _dense_parameters(model)


def member_bytes(run: RunConfig) -> int:
    """Estimated memory of one member: parameters, activations of one step, tables, history."""
    size, D = task_size(run), run.model.width
    points = run.train.steps // run.train.history_every + 2 if run.train.history_every else 0
    if isinstance(run.model, Node2Vec):
        number = DOUBLE if run.model.dtype == "float64" else FLOAT
        assert run.graph is not None
        nodes, edges = graph_counts(run.graph)
        block = min(nodes * nodes * 3, max(nodes * 3, BLOCK_FLOATS))
        floats = (COPIES + 1) * member_parameters(run) + block + points * nodes * D
        return number * floats + INDEX * 5 * 2 * edges
    parameters = COPIES * member_parameters(run)
    floats = parameters + _activations(run) + 3 * size.vocabulary
    return FLOAT * (floats + points * size.nodes * D) + INDEX * size.indices


def step_operations(run: RunConfig) -> int:
    """Floating-point operations of one step of one member, forward and backward."""
    size, D = task_size(run), run.model.width
    work = size.work
    if isinstance(run.model, Node2Vec):
        return 6 * work.rows * work.rows * D
    if isinstance(run.model, Recall):
        assert isinstance(run.task, Facts)
        return 6 * recall_size.operations(run.model, run.task, size)
    return token_operations(run.model, work, size.vocabulary)


def token_operations(model: ModelConfig, work: Work, vocabulary: int) -> int:
    """The same for a model of tokens that does this work."""
    dense = work.tokens * _dense_parameters(model)
    return 6 * (dense + work.rows * vocabulary * model.width + 2 * work.pairs * _mixed(model))


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


def _mixed(model: ModelConfig) -> int:
    """Channels that attention mixes between positions, over all layers."""
    return model.layers * model.width if isinstance(model, Transformer) and model.attention else 0


def _activations(run: RunConfig) -> int:
    """Numbers that a step leaves behind for the backward pass, and the scores of one layer."""
    model, size = run.model, task_size(run)
    if isinstance(model, Recall):
        assert isinstance(run.task, Facts)
        return recall_size.activations(model, run.task, size)
    work = size.work
    floats = work.tokens * _token_floats(model) + work.rows * 2 * model.width
    if isinstance(model, Transformer) and model.attention:
        floats += work.pairs * model.heads * (model.layers + SCORE_COPIES)
    return floats


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
