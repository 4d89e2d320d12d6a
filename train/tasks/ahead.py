"""For how many steps a stack has its examples ready: arithmetic, no torch."""

from math import ceil

AT_ONCE = 8
"""Steps of one CUDA graph, and others that are done or drawn together."""


def blocks_ahead(size: int, batch: int) -> int:
    """How many blocks of `size` rows AT_ONCE steps of `batch` rows reach into, at most."""
    return ceil(AT_ONCE * batch / size) + 1
