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

    On a terminal that is narrower than the table, cells are folded between words, the widest
    columns first; where that does not suffice, each line becomes a paragraph of `name=value`, the
    first `keys` columns before the others, without empty cells.
    """
    console = _console()
    rows = [[printable(cell) for cell in line] for line in lines]
    left = [name in texts for name in head]
    names = [printable(name) for name in head]
    if not console.is_terminal:
        console.width = 100_000  # a file has no edge at which to fold
    elif _width([names, *rows]) > console.width:
        names = [re.sub(r"(?<=[_.])(?=\w)", "\n", name) for name in names]
        names, *rows = _folded([names, *rows], console.width)
        if _width([names, *rows]) > console.width:
            _print_paragraphs(head, lines, keys, console)
            return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, at_left in zip(names, left, strict=True):
        table.add_column(name, justify="left" if at_left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_text(text: str) -> None:
    """Print a paragraph, folded between words on a terminal, on one line elsewhere."""
    console = _console()
    console.print(text, soft_wrap=not console.is_terminal)


def _console() -> Console:
    return Console(markup=False, emoji=False, highlight=False)


def _width(rows: Sequence[Sequence[str]]) -> int:
    columns = list(zip(*rows, strict=True))
    return sum(map(_longest_line, columns)) + _BETWEEN * (len(columns) - 1)


def _longest_line(column: Sequence[str]) -> int:
    return max(map(cell_len, "\n".join(column).split("\n")))


def _folded(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """The rows with columns as wide as there is room, and no narrower than their longest word."""
    columns = list(zip(*rows, strict=True))
    whole = [_longest_line(column) for column in columns]
    words = [max(map(cell_len, " ".join(column).split()), default=1) for column in columns]
    room = width - _BETWEEN * (len(columns) - 1)
    cap = max(whole)
    while cap > 1 and sum(max(w, min(n, cap)) for w, n in zip(words, whole, strict=True)) > room:
        cap -= 1
    folded = [
        ["\n".join(_fold(cell, max(word, min(line, cap)))) for cell in column]
        for column, word, line in zip(columns, words, whole, strict=True)
    ]
    return [list(row) for row in zip(*folded, strict=True)]


def _fold(cell: str, width: int) -> list[str]:
    parts = (textwrap.wrap(line, width, break_on_hyphens=False) for line in cell.split("\n"))
    return [line for part in parts for line in part]


def _print_paragraphs(
    head: Sequence[str], lines: Sequence[Sequence[str]], keys: int, console: Console
) -> None:
    for line in lines:
        cells = list(zip(head, line, strict=True))
        for part, indent in ((cells[:keys], ""), (cells[keys:], "  ")):
            pairs = [printable(f"{name}={cell}") for name, cell in part if cell]
            if pairs:
                _print_folded(pairs, indent, console)


def _print_folded(pairs: Sequence[str], indent: str, console: Console) -> None:
    after = f"{indent}    "
    whole = console.width - len(after)  # what is longer is folded between its words
    text = textwrap.fill(
        "  ".join(p.replace(" ", _JOINT) if len(p) <= whole else p for p in pairs),
        console.width,
        initial_indent=indent,
        subsequent_indent=after,
        break_on_hyphens=False,
    )
    console.print(text.replace(_JOINT, " "), soft_wrap=True)
