"""Which launch configuration serves which shape: fixed, nothing is timed.

Every configuration that can be launched stands here; a test compiles each for sm_90 and holds it
to the limits of registers, shared memory and spills.
"""

import torch

from geomem.kernels.choice import INTERPRETED

LONGEST = 64  # positions of prefix and sequence together

# Warps of a tile of rows by columns. Small tiles waste the fewest scores on what is masked, but
# narrow ones need more rows to be worth a program. Products of float32 are made of single
# multiplications, which want many registers; float64 exists for the interpreter only.
WARPS = {
    torch.bfloat16: {
        16: {32: 1, 64: 1, 128: 2},
        32: {16: 2, 32: 2, 64: 2, 128: 4},
        64: {16: 4, 32: 4, 64: 4, 128: 8},
    },
    torch.float32: {
        16: {32: 2, 64: 2, 128: 4},
        32: {16: 2, 32: 4, 64: 8, 128: 16},
        64: {16: 8, 32: 8},
    },
}
WARPS[torch.float64] = WARPS[torch.float32]


def fits(dtype: torch.dtype, context: int, width: int) -> bool:
    """Whether a kernel takes sequences whose prefix and positions come to `context`."""
    if dtype not in WARPS or (dtype == torch.float64 and not INTERPRETED):
        return False
    return any(rows >= context and columns(width) in row for rows, row in WARPS[dtype].items())


def rows(dtype: torch.dtype, T: int, P: int, width: int) -> int:
    """Return the rows of a tile: the fewest of which sequences fill a half.

    They are eight times a prefix as well, whose gradients every tile leaves for itself.
    """
    served = [n for n, row in WARPS[dtype].items() if n >= P + T and columns(width) in row]
    filled = {n: sequences(n, T, P) * T for n in served}
    return next((n for n in served if filled[n] * 2 >= n and filled[n] >= 8 * P), served[-1])


def sequences(rows: int, T: int, P: int) -> int:
    """Return how many sequences share a tile, the prefix standing before them once."""
    return (rows - P) // T


def columns(width: int) -> int:
    """Return the columns of a tile: the width of a head rounded up to one that products know."""
    return max(16, 1 << (width - 1).bit_length())
