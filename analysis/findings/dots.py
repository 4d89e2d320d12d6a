"""A figure of values by name: one dot per seed, a bar at the median, a row per configuration."""

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from geomem.analysis.figures.style import COLOURS, INK, flow, folded, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Mapping[str, Sequence[float]]
LETTERS = 40


def dots(
    panels: Mapping[str, Rows], text: str, chance: Mapping[str, float] | None = None
) -> "Figure | None":
    """A panel per measure, its rows from the top; `chance` draws a line in a panel of that name."""
    shown = {name: rows for name, rows in panels.items() if rows}
    if not shown:
        return None
    most = max(map(len, shown.values()))
    figure, axes = flow(len(shown), 2, 4.8, 0.8 + 0.42 * most)
    for ax, (name, rows) in zip(axes, shown.items(), strict=True):
        _draw(ax, rows)
        ax.set_xlabel(name, fontsize=8)
        if chance and name in chance:
            ax.axvline(chance[name], color=INK, ls=":", lw=1, zorder=0)
    title(figure, text, 0, 0)
    return figure


def _draw(ax: "Axes", rows: Rows) -> None:
    for at, values in enumerate(rows.values()):
        colour = COLOURS[at % len(COLOURS)]
        ax.plot(values, [at] * len(values), "o", color=colour, ms=5, alpha=0.55, mew=0)
        middle = statistics.median(values)
        ax.plot([middle, middle], [at - 0.3, at + 0.3], color=colour, lw=2.5)
    ax.set_yticks(range(len(rows)), [folded(name, letters=LETTERS) for name in rows], fontsize=8)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="x", labelsize=7)
    values = [value for row in rows.values() for value in row]
    if min(values) >= 0 and max(values) <= 1:
        ax.set_xlim(-0.04, 1.04)
    ax.grid(axis="x", lw=0.4, alpha=0.5)
