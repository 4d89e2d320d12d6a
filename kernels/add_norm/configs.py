"""Which launch configuration serves which shape: fixed, nothing is timed.

A test compiles each for sm_90 and holds it to the limits of registers and spills.
"""

from typing import NamedTuple

WIDEST = 4096  # a row is held whole
TILE = 2048  # elements
OF_A_WARP = {True: 512, False: 256}  # elements, by whether 16 divides the width: without, each has
# an address of its own, and those are registers
PROGRAMS = 1 << 10  # of the backward pass, each with its own sums over rows


class Tile(NamedTuple):
    """Rows and columns that a program has before it at once, powers of two, and its warps."""

    rows: int
    columns: int
    warps: int


def tile(R: int, D: int) -> Tile:
    """Return the tile for R rows of a member, D wide."""
    columns = 1 << (D - 1).bit_length()
    rows = min(max(1, TILE // columns), 1 << (R - 1).bit_length())
    if columns == WIDEST:  # with 512 elements for each of eight warps Triton 3.6 spills
        return Tile(rows, columns, 16)
    warps = rows * columns // OF_A_WARP[D % 16 == 0]
    return Tile(rows, columns, min(8, max(1, warps)))
