"""How much of a sweep goes into one page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What is beyond them is left out, and the page says so.

    runs, nodes, steps: of the view of embeddings; numbers: its coordinates of all runs together;
    lines: configurations of the table; rows: runs of the searchable table.
    """

    runs: int = 60
    nodes: int = 25_000
    steps: int = 41
    numbers: int = 4_000_000
    lines: int = 300
    rows: int = 20_000
