"""How much faster than the plain loop, as a picture."""

from importlib.util import find_spec
from pathlib import Path

from geomem.bench.throughput.record import Result, Row

COLORS = {"geomem": "C0", "loop": "C7", "ready": "C7", "compiled": "C1"}


def draw(result: Result, folder: Path) -> str:
    """Write a PNG per point and return a line that says which, or why there is none."""
    if find_spec("matplotlib") is None:
        return "no picture: matplotlib is not installed"
    written = []
    for point in dict.fromkeys(row.point for row in result.rows):
        rows = [row for row in result.rows if row.point == point and "over_loop" in row.spread]
        if rows:
            path = folder / f"{point}.png"
            _draw_steps(rows, str(result.environment["device_name"]), path)
            written.append(str(path))
    return f"wrote {', '.join(written)}" if written else "no picture: nothing was timed"


def _draw_steps(rows: list[Row], device: str, path: Path) -> None:
    """Draw a bar per contestant up to its median ratio, with a line from p20 to p80."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.2 + 0.35 * len(rows)), layout="constrained")
    ax = figure.subplots()
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
    ax.set_title(f"{rows[0].point} on {device}")
    figure.savefig(path, dpi=120)
