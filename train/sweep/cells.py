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
    head = names = [printable(name) for name in head]
    whole = _widths([names, *rows])
    if not console.is_terminal:
        console.width = 100_000  # a file has no edge at which to fold
    elif _total(whole) > console.width:
        names = [re.sub(r"(?<=[_.])(?=\w)", "\n", name) for name in names]
        whole = _widths([[_longest(cell) for cell in row] for row in [names, *rows]])
        if _total(whole) > console.width:
            for row in rows:
                pairs = [f"{name}={cell}" for name, cell in zip(head, row, strict=True)]
                _print_folded(pairs[:keys], "", console)
                _print_folded(pairs[keys:], "  ", console)
            return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, width, at_left in zip(names, whole, left, strict=True):
        table.add_column(name, justify="left" if at_left else "right", min_width=width)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(*rows, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _BETWEEN * (len(widths) - 1)


def _longest(cell: str) -> str:
    return max(cell.split(), key=cell_len, default="")


def _print_folded(pairs: Sequence[str], indent: str, console: Console) -> None:
    text = textwrap.fill(
        "  ".join(pair.replace(" ", _JOINT) for pair in pairs),
        console.width,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_on_hyphens=False,
    )
    console.print(text.replace(_JOINT, " "), soft_wrap=True)
