"""Which launch configuration serves which shape: fixed, nothing is timed.

A test compiles each for sm_90 and holds it to the limits of registers and spills.
"""

from typing import NamedTuple

TILE = 1024  # elements at most
OF_A_WARP = 256  # elements: a thread has eight, 16 bytes of bf16


class Tile(NamedTuple):
    """Elements that a program has before it, a power of two, and its warps."""

    elements: int
    warps: int


def tile(count: int) -> Tile:
    """Return the tile for so many elements of a member."""
    elements = min(TILE, 1 << (count - 1).bit_length())
    return Tile(elements, max(1, elements // OF_A_WARP))
