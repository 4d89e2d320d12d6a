"""Rows as a plain text table, one per op and size."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from geomem.bench.record import Row

FIGURES = {  # name -> (heading, factor, format)
    "over_geomem": ("x geomem", 1.0, ".2f"),
    "tflops": ("TFLOP/s", 1.0, ".3g"),
    "matmul_share": ("of matmul", 100.0, ".1f"),
    "gbytes": ("GB/s", 1.0, ".3g"),
    "copy_share": ("of copy", 100.0, ".1f"),
    "gexps": ("Gexp/s", 1.0, ".3g"),
    "steps_per_second": ("steps/s", 1.0, ".4g"),
}
PERCENT = {"matmul_share", "copy_share"}


def table(rows: Sequence[Row]) -> str:
    """Return all tables, each under the name and size that it is about."""
    parts = []
    for (op, sizes), group in groupby(rows, key=lambda row: (row.op, str(row.sizes))):
        found = list(group)
        size = " ".join(f"{letter}={value}" for letter, value in found[0].sizes.items())
        parts.append(f"{op}  {size}\n{_one(found)}" if sizes else op)
    return "\n\n".join(parts)


def _one(rows: Sequence[Row]) -> str:
    figures = [name for name in FIGURES if any(name in row.figures for row in rows)]
    regimes = list(dict.fromkeys(at.split(".")[0] for row in rows for at in row.errors))
    memory = any(row.extra_bytes is not None for row in rows)
    heads = ["variant", "pass", "p50 ms", "p20", "p80", *(FIGURES[name][0] for name in figures)]
    heads += ["extra MB", "of full"] if memory else []
    heads += [f"error {regime}" for regime in regimes] + ["timed by", "status"]
    lines = [heads, *(_cells(row, figures, regimes, memory) for row in rows)]
    return aligned(lines)


def _cells(row: Row, figures: Sequence[str], regimes: Sequence[str], memory: bool) -> list[str]:
    times = ["-"] * 3
    if row.seconds is not None:
        times = [f"{row.seconds[p] * 1e3:.4g}" for p in ("p50", "p20", "p80")]
    found = [row.variant, row.at, *times]
    found += [_figure(row, name) for name in figures]
    if memory:
        extra, share = row.extra_bytes, row.extra_share
        found.append("-" if extra is None else f"{extra / 1e6:.1f}")
        found.append("-" if share is None else f"{100 * share:.1f}%")
    found += [_error(row, regime) for regime in regimes]
    return [*found, row.timed_by or "-", "; ".join(filter(None, [row.status, row.note]))]


def _figure(row: Row, name: str) -> str:
    if name not in row.figures:
        return "-"
    _, factor, style = FIGURES[name]
    return format(row.figures[name] * factor, style) + ("%" if name in PERCENT else "")


def _error(row: Row, regime: str) -> str:
    """The worst tensor of a regime."""
    errors = [error for at, error in row.errors.items() if at.split(".")[0] == regime]
    return f"{max(errors):.1e}" if errors else "-"


def aligned(lines: Iterable[Sequence[str]]) -> str:
    """Return lines of cells in columns; the first two and the last are words, the rest numbers."""
    rows = list(lines)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    text = []
    for row in rows:
        cells = [
            cell.ljust(width) if i in (0, 1, len(row) - 1) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)
