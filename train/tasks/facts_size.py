"""How many tokens a task of facts has and how long a query is: arithmetic, no torch."""

from geomem.train.config.task import Facts


def token_count(task: Facts) -> int:
    """Subjects, relations, and attributes where they are no subjects."""
    return task.subjects + task.relations + (task.attribute_count if task.hops == 1 else 0)


def target_count(task: Facts) -> int:
    """Targets of one query."""
    return task.hops if task.chain_of_thought else 1


def context_length(task: Facts) -> int:
    """Tokens that the model reads of one query: a thought is read once it is thought."""
    return task.hops + target_count(task)
