"""Which launch configuration serves which shape: fixed, nothing is timed.

Every configuration that can be launched stands here; a test compiles each for sm_90 and holds it
to the limits of registers, shared memory and spills. The numbers of programs are chosen by shape
alone, so that sums over slices of the sequences come in one order on every device.
"""

from math import ceil
from typing import NamedTuple

MOST_STATES = 64
SHORT = 64  # steps up to which a sequence is one chunk; longer ones are cut into such chunks
TILE = 4  # steps that a kernel reads at once, and whose states the backward kernel holds
FORWARD_PROGRAMS = 1 << 14
BACKWARD_PROGRAMS = 1 << 12
GROUPS = 8  # partial results of db and dc, at most, where there are sequences enough


class Lanes(NamedTuple):
    """Of a warp of the backward kernel: channels across its lanes, and channels in each lane."""

    across: int
    each: int


# By states, rounded up: 32 / across lanes share a channel's states. More channels in each lane
# save shuffles and cost registers.
BACKWARD = {8: Lanes(16, 2), 16: Lanes(8, 2), 32: Lanes(8, 1), 64: Lanes(4, 1)}

SUMMARY_STATES = 32  # states of a program, at most
COMBINE = 512  # states times channels of a program


def states_block(S: int) -> int:
    """Return S rounded up to a key of BACKWARD."""
    return next(block for block in BACKWARD if block >= S)


def forward_block(S: int, C: int) -> dict[str, int]:
    """Return channels and warps of a program of the forward kernel.

    A thread holds all states of a channel, two threads where there are more than 32.
    """
    if S > 32:
        return {"BC": 16, "num_warps": 1}
    warps = 1 if C <= 32 else 2 if C <= 64 else 4
    return {"BC": 32 * warps, "num_warps": warps}


def summary_block(S: int, C: int) -> dict[str, int]:
    """Return states, channels and warps of a program of the summary kernel."""
    states = min(states_block(S), SUMMARY_STATES)
    return {"BS": states, **forward_block(states, C)}


def chunk_length(T: int) -> int:
    """Return the steps of a chunk."""
    return T if T <= SHORT else SHORT


def chunks(T: int) -> int:
    """Return the number of chunks of a sequence."""
    return 1 if T <= SHORT else (T + SHORT - 1) // SHORT


def forward_tile(steps: int) -> dict[str, int]:
    """Return the forward kernel's L and BL: steps of a tile, and rows of its block."""
    rows = min(steps, TILE)
    return {"L": rows, "BL": 1 << (rows - 1).bit_length()}


def backward_tile(steps: int) -> dict[str, int]:
    """Return the backward kernel's L and BL; its lanes share out the same rows for every L."""
    return {"L": min(steps, TILE), "BL": TILE}


def blocks_per_program(blocks: int, rows: int) -> int:
    """Return the channel blocks, of `blocks`, that a program of the backward kernel goes through.

    rows: sequences of all members.
    """
    return max(1, min(ceil(blocks / GROUPS), rows * blocks // BACKWARD_PROGRAMS))
