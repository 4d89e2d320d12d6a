"""Edge examples and paths from text files, exactly as they are: `u=v` and `leaf=root,…,leaf`.

Nodes are ordered by name (numbers by value), paths by their leaf. P paths of L nodes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geomem.train.config.errors import ConfigError
from geomem.train.config.graph import MAX_NODES, Text
from geomem.train.config.words import shorten, show_path
from geomem.train.tasks.edge_list import MAX_EDGES, name_order
from geomem.train.tasks.text_lines import Line, read_lines

Ints = NDArray[np.int64]
_NAME = re.compile(r"[^\s=,]+")
EDGE_FORM, PATH_FORM = "an edge is `u=v`", "a path is `leaf=root,...,leaf`"
_MEND = "correct the path, or add an edge to graph.edge_file"
Pair = tuple[str, str]


@dataclass(frozen=True)
class TextData:
    """names [n]; examples int64 [X, 2], each line u=v, sorted; edges int64 [E, 2], each joined pair
    of nodes once, from parent to child where a path runs over it, else as it was written first;
    paths int64 [P, L] from root to leaf and held_out int64, rows of them; None and empty without.
    """

    names: tuple[str, ...]
    examples: Ints
    edges: Ints
    paths: Ints | None
    held_out: Ints


class _Name(NamedTuple):
    text: str
    column: int


def read_text_data(config: Text) -> TextData:
    """Read the files of a text graph.

    Raises ConfigError with file, line and column: for a line of another form, a node or a step of a
    path that the edges do not have, a path that visits a node twice, anything given twice, and a
    test leaf that is trained on.
    """
    pairs = read_edges(config.edge_file)
    names = tuple(sorted({name for pair in pairs for name in pair}, key=name_order))
    index = {name: at for at, name in enumerate(names)}
    trained: dict[str, list[str]] = {}
    tested: dict[str, list[str]] = {}
    if config.train_file is not None and config.test_file is not None:
        joined = {*pairs, *((v, u) for u, v in pairs)}
        seen: dict[str, str] = {}
        trained = _read_paths(Path(config.train_file), index, joined, seen, 0)
        length = len(next(iter(trained.values())))
        tested = _read_paths(Path(config.test_file), index, joined, seen, length)
    return _as_arrays(names, index, pairs, trained, tested)


def show_edge(u: str, v: str) -> str:
    """An edge as messages print it."""
    return f"{shorten(u)}={shorten(v)}"


def read_edges(edge_file: str) -> dict[Pair, int]:
    """Return every edge example of a file with the number of its line; ConfigError for others."""
    path = Path(edge_file)
    found: dict[Pair, int] = {}
    for line in read_lines(path):
        left, right = _sides(line, EDGE_FORM)
        for names in (left, right):
            if len(names) > 1:
                raise line.problem(names[1].column, "an edge joins two nodes, as in `u=v`")
        pair = (left[0].text, right[0].text)
        if pair in found:
            text = f"{show_edge(*pair)} is given twice, first in line {found[pair]}"
            raise line.problem(1, f"{text}; remove one of them")
        if len(found) >= MAX_EDGES:
            raise line.problem(1, f"more than {MAX_EDGES} edges")
        found[pair] = line.number
    if not found:
        text = "no edges; a line holds one, such as `u=v`"
        raise ConfigError([(None, f"{show_path(path)}: {text}")])
    if all(u == v for u, v in found):
        text = f"no edge joins two nodes, all are like {show_edge(*next(iter(found)))}; add others"
        raise ConfigError([(None, f"{show_path(path)}: {text}")])
    return found


def _read_paths(
    path: Path, index: Mapping[str, int], joined: set[Pair], seen: dict[str, str], length: int
) -> dict[str, list[str]]:
    """Every path by its leaf; `seen` tells where each leaf stood first; 0: any length at first."""
    found: dict[str, list[str]] = {}
    for line in read_lines(path):
        left, nodes = _sides(line, PATH_FORM)
        if len(left) > 1:
            raise line.problem(left[1].column, f"one leaf stands before the `=`; {PATH_FORM}")
        _check_walk(line, left[0], nodes, index, joined)
        length = length or len(nodes)
        if len(nodes) != length:
            first = next(iter(seen.values()))
            text = f"a path of {len(nodes)} nodes, and the first one, {first}, has {length}"
            raise line.problem(nodes[0].column, f"{text}; give all of them as many nodes")
        leaf = left[0].text
        if leaf in seen:
            text = f"{shorten(leaf)} has a path already: {seen[leaf]}; remove one of them"
            raise line.problem(1, text)
        seen[leaf] = f"{show_path(path)}:{line.number}"
        found[leaf] = [node.text for node in nodes]
    if not found:
        raise ConfigError([(None, f"{show_path(path)}: no paths; {PATH_FORM}")])
    return found


def _check_walk(
    line: Line, leaf: _Name, nodes: list[_Name], index: Mapping[str, int], joined: set[Pair]
) -> None:
    if len(nodes) < 2:
        text = f"a path needs two nodes at least, and {shorten(nodes[0].text)} is one; {PATH_FORM}"
        raise line.problem(nodes[0].column, text)
    for node in (leaf, *nodes):
        if node.text not in index:
            text = f"no edge has the node {shorten(node.text)}; {_MEND}"
            raise line.problem(node.column, text)
    visited: set[str] = set()
    for node in nodes:
        if node.text in visited:
            text = f"{shorten(node.text)} stands twice in the path; a path visits a node once"
            raise line.problem(node.column, f"{text}, so remove the detour")
        visited.add(node.text)
    for a, b in pairwise(nodes):
        if (a.text, b.text) not in joined:
            names = f"{shorten(a.text)} and {shorten(b.text)}"
            text = f"no edge joins {names}, so this is no walk on the graph; {_MEND}"
            raise line.problem(b.column, text)
    if nodes[-1].text != leaf.text:
        names = f"{shorten(nodes[-1].text)} and not in {shorten(leaf.text)}"
        text = f"the path ends in {names}, which stands before `=`; {PATH_FORM}"
        raise line.problem(nodes[-1].column, text)


def _sides(line: Line, form: str) -> tuple[list[_Name], list[_Name]]:
    """The names before and after the one `=`, parted by commas."""
    if line.text.lstrip().startswith("#"):
        text = "comments, as after `#`, are not part of this format; remove the line"
        raise line.problem(line.text.index("#") + 1, text)
    left, equals, right = line.text.partition("=")
    if not equals:
        raise line.problem(len(line.text) + 1, f"no `=` in '{shorten(line.text)}'; {form}")
    if "=" in right:
        raise line.problem(len(left) + right.index("=") + 2, f"a second `=`; {form}")
    return _names(line, left, 1, form), _names(line, right, len(left) + 2, form)


def _names(line: Line, text: str, column: int, form: str) -> list[_Name]:
    found = []
    for name in text.split(","):
        if not name:
            raise line.problem(column, f"a name is missing; {form}")
        if not _NAME.fullmatch(name):
            raise line.problem(column, f"'{shorten(name)}' holds a blank; {form}, without blanks")
        found.append(_Name(name, column))
        column += len(name) + 1
    return found


def _as_arrays(
    names: tuple[str, ...],
    index: Mapping[str, int],
    pairs: Mapping[Pair, int],
    trained: Mapping[str, list[str]],
    tested: Mapping[str, list[str]],
) -> TextData:
    if len(names) > MAX_NODES:
        raise ConfigError([(None, f"{len(names)} nodes are more than the limit of {MAX_NODES}")])
    examples = np.array([(index[u], index[v]) for u, v in pairs], np.int64)
    examples = examples[np.lexsort((examples[:, 1], examples[:, 0]))]
    leaves = sorted([*trained, *tested], key=index.__getitem__)
    every = {**trained, **tested}
    paths = np.array([[index[node] for node in every[leaf]] for leaf in leaves], np.int64)
    held_out = np.array([at for at, leaf in enumerate(leaves) if leaf in tested], np.int64)
    first = np.array([(index[u], index[v]) for u, v in pairs if u != v], np.int64)
    walked = np.stack([paths[:, :-1].ravel(), paths[:, 1:].ravel()], 1) if len(paths) else first
    edges = _once(np.concatenate([walked, first]))
    return TextData(names, examples, edges, paths if len(paths) else None, held_out)


def _once(edges: Ints) -> Ints:
    """Each joined pair of nodes as it comes first, sorted."""
    _, first = np.unique(np.sort(edges, 1), axis=0, return_index=True)
    kept = edges[first]
    return kept[np.lexsort((kept[:, 1], kept[:, 0]))]
