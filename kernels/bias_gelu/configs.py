"""Which launch configuration serves which shape: fixed, nothing is timed.

A test compiles each for sm_90 and holds it to the limits of registers and spills.
"""

from typing import NamedTuple

TILE, COLUMNS = 2048, 512  # elements of a tile, and of a row of it at most
OF_A_WARP = 512  # elements
PROGRAMS = 1 << 12  # of the backward pass, each with its own sums over rows


class Tile(NamedTuple):
    """Rows and columns that a program has before it at once, powers of two, and its warps."""

    rows: int
    columns: int
    warps: int


def tile(R: int, F: int) -> Tile:
    """Return the tile for R rows of a member, F wide."""
    columns = min(COLUMNS, 1 << (F - 1).bit_length())
    rows = min(TILE // columns, 1 << (R - 1).bit_length())
    return Tile(rows, columns, max(1, rows * columns // OF_A_WARP))
