"""Division of rows among programs, by shape alone: partial sums are the same on every device."""

from math import ceil
from typing import NamedTuple


class Slices(NamedTuple):
    """How many slices the rows fall into, and the rows of each but the last."""

    number: int
    rows: int


def slices_of(rows: int, others: int, programs: int) -> Slices:
    """Give each row a slice of its own unless slices times `others` would exceed `programs`."""
    each = ceil(rows / max(1, min(rows, programs // others)))
    return Slices(ceil(rows / each), each)
