"""Tables on the terminal that stay legible where it is narrower than they are."""

import re
import textwrap
from collections.abc import Collection, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from geomem.train.sweep.words import printable

_BETWEEN = 3  # blanks between columns
_JOINT = "\N{NO-BREAK SPACE}"


def print_cells(
    head: Sequence[str], lines: Sequence[Sequence[str]], keys: int, texts: Collection[str] = ()
) -> None:
    """Print a table, of any width where stdout is no terminal; columns in `texts` stand left.

    On a terminal that is narrower than the table, cells are folded between words; where that does
    not suffice, each line becomes a paragraph of `name=value`, the first `keys` columns before
    the others.
    """
    console = Console(markup=False, emoji=False, highlight=False)
    rows = [[printable(cell) for cell in line] for line in lines]
    left = [name in texts for name in head]
    names = [printable(name) for name in head]
    if not console.is_terminal:
        console.width = 100_000  # a file has no edge at which to fold
    elif _width([names, *rows]) > console.width:
        names = [re.sub(r"(?<=[_.])(?=\w)", "\n", name) for name in names]
        names, *rows = _folded([names, *rows])
        if _width([names, *rows]) > console.width:
            _print_paragraphs(head, lines, keys, console)
            return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, at_left in zip(names, left, strict=True):
        table.add_column(name, justify="left" if at_left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _width(rows: Sequence[Sequence[str]]) -> int:
    columns = list(zip(*rows, strict=True))
    own = (max(map(cell_len, "\n".join(column).split("\n"))) for column in columns)
    return sum(own) + _BETWEEN * (len(columns) - 1)


def _folded(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows with every cell as narrow as the longest word of its column."""
    columns = []
    for column in zip(*rows, strict=True):
        width = max(map(cell_len, " ".join(column).split()), default=1)
        columns.append(["\n".join(_fold(cell, width)) for cell in column])
    return [list(row) for row in zip(*columns, strict=True)]


def _fold(cell: str, width: int) -> list[str]:
    parts = (textwrap.wrap(line, width, break_on_hyphens=False) for line in cell.split("\n"))
    return [line for part in parts for line in part]


def _print_paragraphs(
    head: Sequence[str], lines: Sequence[Sequence[str]], keys: int, console: Console
) -> None:
    for line in lines:
        pairs = [printable(f"{name}={cell}") for name, cell in zip(head, line, strict=True)]
        _print_folded(pairs[:keys], "", console)
        _print_folded(pairs[keys:], "  ", console)


def _print_folded(pairs: Sequence[str], indent: str, console: Console) -> None:
    text = textwrap.fill(
        "  ".join(pair.replace(" ", _JOINT) for pair in pairs),
        console.width,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_on_hyphens=False,
    )
    console.print(text.replace(_JOINT, " "), soft_wrap=True)
