"""Which launch configuration serves which size: fixed, nothing is timed.

A test compiles each for sm_90 and holds it to the limits of registers and spills.
"""

SMALL = 256  # parameters of a member up to which one warp takes them all


def block(P: int) -> dict[str, int]:
    """Return the elements and the warps of a program: 8 elements, two loads, for each thread."""
    if P <= SMALL:
        return {"BLOCK": SMALL, "num_warps": 1}
    return {"BLOCK": 1024, "num_warps": 4}
