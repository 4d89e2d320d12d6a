"""How many examples of a stack are drawn together: arithmetic, no torch."""

from math import ceil

AT_ONCE = 8
"""Steps of one CUDA graph, and others that are done or drawn together."""
BLOCKS = 2
"""Blocks of examples that are kept: AT_ONCE steps may begin in one and end in the next."""


def epochs_of_block(size: int, batch: int) -> int:
    """How many orders of a table's rows are drawn together: what AT_ONCE steps of `batch` take."""
    return ceil(AT_ONCE * batch / size)
