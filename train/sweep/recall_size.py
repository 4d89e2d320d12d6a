"""How large a recall model is and what its step does, from the configuration: arithmetic, no torch.

D width · F width of the MLP · T tokens of a query
"""

from geomem.train.config.model import Recall
from geomem.train.config.task import Facts
from geomem.train.sweep.task_size import TaskSize


def parameters(model: Recall, task: Facts, context: int) -> int:
    """Numbers that the model consists of, frozen ones included."""
    D, F = model.width, model.mlp_width
    answers = 0 if model.tie else task.attribute_count
    tables = (task.subjects + task.relations + answers + context) * D
    bias = context**2 if model.attention_bias else 0
    return tables + bias + 4 * D * D + 2 * D * F + F + D


def activations(model: Recall, task: Facts, size: TaskSize) -> int:
    """Numbers that a step leaves behind for the backward pass."""
    D, F = model.width, model.mlp_width
    tokens = task.subjects + task.relations if _factored(task, size) else size.work.tokens
    return 4 * tokens * D + size.work.rows * (5 * D + 3 * F + size.context)


def operations(model: Recall, task: Facts, size: TaskSize) -> int:
    """Multiplications of one step's forward pass."""
    D, F = model.width, model.mlp_width
    mapped = task.subjects + task.relations if _factored(task, size) else size.work.rows
    scored = (size.context + 2 * F + task.attribute_count) * D
    return 2 * mapped * D * D + size.work.rows * scored


def _factored(task: Facts, size: TaskSize) -> bool:
    """Whether a step takes every pair of subject and relation."""
    return task.hops == 1 and size.work.rows == task.query_count
