"""Ratios to the plain loop, and accuracies on their way, as pictures."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from geomem.analysis.pictures import save_picture
from geomem.bench.throughput.record import Result, Row

COLORS = {"geomem": "C0", "loop": "C7", "ready": "C7", "compiled": "C1"}


def draw(result: Result, folder: Path) -> str:
    """Write a PNG per point that has one; return a line that says which, or why there is none."""
    if find_spec("matplotlib") is None:
        return "no picture: matplotlib is not installed"
    written = []
    for point in dict.fromkeys(row.point for row in result.rows):
        rows = [row for row in result.rows if row.point == point]
        for name, paint in (("over_loop", _ratios), ("accuracy", _courses)):
            shown = [row for row in rows if name in row.spread or name in row.series]
            if shown:
                path = folder / f"{point}.png"
                _save(shown, paint, str(result.environment["device_name"]), path)
                written.append(str(path))
    return f"wrote {', '.join(written)}" if written else "no picture: nothing was timed"


def _save(rows: list[Row], paint: Any, device: str, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    ax = figure.subplots()
    paint(figure, ax, rows)
    ax.set_title(f"{rows[0].point} on {device}")
    save_picture(figure, path, 120)


def _ratios(figure: Any, ax: Any, rows: list[Row]) -> None:
    """A bar per contestant up to its median, with a line from p20 to p80."""
    figure.set_size_inches(8, 1.2 + 0.35 * len(rows))
    for i, row in enumerate(rows):
        found = row.spread["over_loop"]
        ax.barh(i, found["p50"], color=COLORS.get(row.side, "C2"))
        ax.plot([found["p20"], found["p80"]], [i, i], color="black", linewidth=1)
        ax.annotate(f" {found['p50']:.3g}", (max(found.values()), i), va="center")
    ax.set_yticks(range(len(rows)), [row.contestant for row in rows])
    ax.invert_yaxis()
    ax.set_xscale("log")
    ax.margins(x=0.1)
    ax.set_xlabel("member-steps per second in units of the best plain loop (line: p20 to p80)")


def _courses(figure: Any, ax: Any, rows: list[Row]) -> None:
    """A line per goal."""
    figure.set_size_inches(6, 4)
    for row in rows:
        label = f"{row.contestant}: {row.figures['seconds']:.0f} s in all"
        ax.plot(row.series["step"], row.series["accuracy"], "o-", label=label)
        ax.axhline(row.figures["reaches"], color="C7", linewidth=1)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("step")
    ax.set_ylabel("held-out exact match")
    ax.legend(frameon=False)
