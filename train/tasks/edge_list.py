"""Graphs from text files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geomem.train.config.errors import ConfigError
from geomem.train.config.words import shorten, show_path
from geomem.train.tasks.text_lines import read_lines

MAX_EDGES = 100_000_000


def name_order(name: str) -> tuple[int, int, str, str]:
    """Numbers by value before other names, which go by their letters; equal ones by their text."""
    if not (name.isdecimal() and name.isascii()):
        return 1, 0, name, ""
    digits = name.lstrip("0")  # int() takes 4300 digits at most
    return 0, len(digits), digits, name


def read_edge_list(path: str | Path) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the names of the nodes, in canonical order, and edges int64 [E, 2] by index.

    Each line holds two names parted by blanks, a tab or a comma; `#` starts a comment. An edge
    given twice, in either direction, counts once, as it was written first. Raises ConfigError
    with the line for anything else.
    """
    path = Path(path)
    pairs: dict[tuple[str, str], None] = {}
    for line in read_lines(path):
        names = line.text.partition("#")[0].replace(",", " ").split()
        if not names:
            continue
        if len(names) != 2:
            found = f"found {len(names)} name{'s' * (len(names) > 1)}"
            raise line.problem(1, f"{found}; a line holds two, such as `a b` or `a,b`")
        if names[0] == names[1]:
            text = "is its own neighbour; use task.self_edges for such edges"
            raise line.problem(1, f"{shorten(names[0])} {text}")
        if len(pairs) >= MAX_EDGES:
            raise line.problem(1, f"more than {MAX_EDGES} edges")
        if (names[1], names[0]) not in pairs:
            pairs[(names[0], names[1])] = None
    if not pairs:
        text = "no edges; a line holds two names, such as `a b`"
        raise ConfigError([(None, f"{show_path(path)}: {text}")])
    names_in_order = sorted({name for pair in pairs for name in pair}, key=name_order)
    index = {name: i for i, name in enumerate(names_in_order)}
    edges = np.array([(index[a], index[b]) for a, b in pairs], np.int64)
    return tuple(names_in_order), edges
