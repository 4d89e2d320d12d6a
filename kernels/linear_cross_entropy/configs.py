"""Which kernel and which launch configuration serves which shape: fixed, nothing is timed.

Every configuration that can be launched stands here; a test compiles each for sm_90 and holds it
to the limits of registers, shared memory and spills. float64 exists for the interpreter only and
takes the configurations of float32.
"""

from dataclasses import dataclass

import torch

TINY_ROWS, TINY_VOCABULARY, SMALL_VOCABULARY = 64, 128, 512


@dataclass(frozen=True)
class Config:
    """Tile of rows by columns, width of a step of the products, warps and pipeline stages.

    registers: the most that a thread may take, if the compiler has to be told.
    """

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int
    registers: int | None = None


# The smallest tile that holds the shape serves it.
TINY = {
    torch.bfloat16: (
        Config(16, 32, 32, 1, 2),
        Config(64, 32, 64, 4, 2),
        Config(16, 128, 64, 4, 2),
        Config(64, 128, 64, 4, 2),
    ),
    torch.float32: (
        Config(16, 32, 32, 2, 2),
        Config(64, 32, 16, 4, 2),
        Config(16, 128, 16, 4, 2),
        Config(64, 128, 16, 8, 1),
    ),
}

# Whole rows in registers: the more columns, the fewer rows.
SMALL = {
    torch.bfloat16: (
        Config(128, 32, 64, 4, 3),
        Config(128, 128, 64, 8, 3),
        Config(64, 256, 64, 8, 3),
        Config(64, 512, 64, 8, 2),
    ),
    torch.float32: (
        Config(64, 32, 32, 4, 2),
        Config(64, 128, 32, 8, 2),
        Config(32, 256, 32, 8, 2),
        Config(16, 512, 32, 8, 2),
    ),
}

# 128 registers and 96 KB: two programs share a multiprocessor, so that the exponentials of one run
# beside the products of the other. Triton 3.6 would take up to 161, and spills none without them.
LARGE = {
    torch.bfloat16: Config(128, 128, 64, 8, 3, registers=128),
    torch.float32: Config(128, 128, 16, 8, 3),
}
GROUP = 16  # blocks of rows that share a tile of the embedding in the cache
SCORES = {
    torch.bfloat16: Config(64, 64, 64, 4, 3),
    torch.float32: Config(64, 64, 16, 4, 2),
}
REDUCE = Config(16, 64, 0, 4, 1)
LIST = Config(128, 0, 0, 4, 1)  # one entry or row per thread
RESCALE = Config(16, 0, 0, 4, 1)


def _table_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype == torch.float64 else dtype


def regime(N: int, V: int) -> str:
    """Return "tiny", "small" or "large" for rows and tokens of a member."""
    if V <= TINY_VOCABULARY and N <= TINY_ROWS:
        return "tiny"
    return "small" if V <= SMALL_VOCABULARY else "large"


def tiny_config(dtype: torch.dtype, N: int, V: int) -> Config:
    """Return the smallest tile that holds a member."""
    table = TINY[_table_dtype(dtype)]
    return next(c for c in table if c.rows >= N and c.columns >= V)


def small_config(dtype: torch.dtype, V: int) -> Config:
    """Return the tile whose rows are whole."""
    return next(c for c in SMALL[_table_dtype(dtype)] if c.columns >= V)


def large_config(dtype: torch.dtype) -> Config:
    """Return the tile of a large vocabulary."""
    return LARGE[_table_dtype(dtype)]


def scores_config(dtype: torch.dtype) -> Config:
    """Return the tile of entries; its depth is the large tile's, so that both round alike."""
    return SCORES[_table_dtype(dtype)]
