"""Graphs from text files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geomem.train.config.errors import ConfigError, Mark

MAX_EDGES = 100_000_000


def _problem(path: Path, line: int, text: str) -> ConfigError:
    return ConfigError([(Mark(str(path), line, 1), text)])


def name_order(name: str) -> tuple[int, int, str]:
    """Numbers by value before other names, which go by their letters."""
    return (0, int(name), "") if name.isdecimal() and name.isascii() else (1, 0, name)


def read_edge_list(path: str | Path) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the names of the nodes, in canonical order, and edges int64 [E, 2] by index.

    Each line holds two names parted by blanks, a tab or a comma; `#` starts a comment. An edge
    given twice, in either direction, counts once, as it was written first. Raises ConfigError
    with the line for anything else.
    """
    path = Path(path)
    pairs: dict[tuple[str, str], None] = {}
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                names = line.partition("#")[0].replace(",", " ").split()
                if not names:
                    continue
                if len(names) != 2:
                    found = f"found {len(names)} names; a line holds two, such as `a b` or `a,b`"
                    raise _problem(path, number, found)
                if names[0] == names[1]:
                    text = f"{names[0]} is its own neighbour; use task.self_edges for such edges"
                    raise _problem(path, number, text)
                if len(pairs) >= MAX_EDGES:
                    raise _problem(path, number, f"more than {MAX_EDGES} edges")
                if (names[1], names[0]) not in pairs:
                    pairs[(names[0], names[1])] = None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([(None, f"{path}: cannot be read as an edge list: {error}")]) from error
    if not pairs:
        raise ConfigError([(None, f"{path}: no edges; a line holds two names, such as `a b`")])
    names_in_order = sorted({name for pair in pairs for name in pair}, key=name_order)
    index = {name: i for i, name in enumerate(names_in_order)}
    edges = np.array([(index[a], index[b]) for a, b in pairs], np.int64)
    return tuple(names_in_order), edges
