"""Which launch configuration serves which shape: fixed, nothing is timed.

A test compiles each for sm_90 and holds it to the limits of registers, memory and spills.
"""

FORWARD_PROGRAMS = 1 << 14
BACKWARD_PROGRAMS = 1 << 12
TILE = 8  # steps that a program has before it at once
CHANNELS = (32, 64, 128)  # of a program, which is one warp


def tile(T: int) -> int:
    """Return the steps of a tile."""
    return min(T, TILE)


def channels(C: int) -> int:
    """Return the channels of a program."""
    return next((block for block in CHANNELS if block >= C), CHANNELS[-1])
