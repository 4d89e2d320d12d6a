"""The times of a run as a picture."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from geomem.analysis.pictures import save_picture
from geomem.bench.record import Result, Row

MARKS = "osD^vP*X<>hdp"


def draw(result: Result, folder: Path) -> str:
    """Write one PNG per op and return a line that says which, or why there is none."""
    if find_spec("matplotlib") is None:
        return "no picture: matplotlib is not installed"
    written = []
    for op in dict.fromkeys(row.op for row in result.rows):
        path = folder / f"{op}.png"
        _draw_op([row for row in result.rows if row.op == op], result, path)
        written.append(str(path))
    return f"wrote {', '.join(written)}"


def _draw_op(rows: list[Row], result: Result, path: Path) -> None:
    """Draw a panel per pass: a line per size, a mark per variant, hollow if its result is wrong."""
    from matplotlib.figure import Figure

    passes = list(dict.fromkeys(row.at for row in rows))
    sizes = list(dict.fromkeys(_size(row) for row in rows))
    variants = list(dict.fromkeys(row.variant for row in rows if row.seconds))
    height = 1.6 + 0.5 * len(sizes) + 0.22 * len(variants)
    figure = Figure(figsize=(4.0 + 4.5 * len(passes), height), layout="constrained")
    axes = figure.subplots(1, len(passes), sharey=True, squeeze=False)[0]
    for ax, at in zip(axes, passes, strict=True):
        _panel(ax, [row for row in rows if row.at == at], sizes, variants)
        ax.set_title(at if len(passes) > 1 else "")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(f"{rows[0].op} on {result.environment['device_name']}")
    save_picture(figure, path, 120)


def _panel(ax: Any, rows: list[Row], sizes: list[str], variants: list[str]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    for i, variant in enumerate(variants):
        own = [row for row in rows if row.variant == variant and row.seconds]
        color, mark = f"C{i % 10}", MARKS[i % len(MARKS)]
        for wrong in (False, True):
            part = [row for row in own if row.status.startswith("wrong") == wrong]
            x = [row.seconds["p50"] * 1e3 for row in part if row.seconds]
            y = [sizes.index(_size(row)) for row in part]
            face = "none" if wrong else color
            label = variant if not wrong else None
            ax.plot(x, y, mark, color=color, markerfacecolor=face, label=label, markersize=7)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_yticks(range(len(sizes)), sizes)
    ax.set_ylim(len(sizes) - 0.5, -0.5)
    ax.set_xlabel("ms, median (hollow: wrong result)")
    ax.grid(axis="both", alpha=0.3)


def _size(row: Row) -> str:
    return " ".join(f"{letter}={value}" for letter, value in row.sizes.items())
