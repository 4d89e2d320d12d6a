"""A measure against the learning rate, a line per knob that is turned."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from geomem.analysis.figures.style import COLOURS, flow, legend_below, title
from geomem.analysis.findings.settings import Measure
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Lines = Mapping[str, Callable[[Member], bool]]
"""Names, and which runs each of them is about."""
Panel = tuple[Sequence[Member], Measure, Lines]


def knob_panels(panels: Mapping[str, Panel]) -> "Figure | None":
    """A panel per measure: median over runs, band from lowest to highest; None without any run."""
    shown = {name: panel for name, panel in panels.items() if panel[0]}
    if not shown:
        return None
    figure, axes = flow(len(shown), 3, 3.4, 3.0)
    for ax, (name, panel) in zip(axes, shown.items(), strict=True):
        _draw(ax, *panel)
        ax.set_title(name, fontsize=8)
        ax.set_xlabel("learning rate", fontsize=8)
        ax.tick_params(labelsize=7)
    title(figure, "One linear layer on a cycle; median over runs, band: lowest to highest", 0, 0)
    legend_below(figure, axes, 5)
    return figure


def _draw(ax: "Axes", members: Sequence[Member], measure: Measure, lines: Lines) -> None:
    values = measure(members)
    for colour, (name, belongs) in zip(COLOURS, lines.items(), strict=False):
        by_rate: dict[float, list[float]] = {}
        for member in filter(belongs, members):
            value = values.get(member.row["run"], math.nan)
            if not math.isnan(value):
                by_rate.setdefault(member.config["optim"]["lr"], []).append(value)
        rates = sorted(by_rate)
        if rates:
            middle = [statistics.median(by_rate[rate]) for rate in rates]
            low, high = ([of(by_rate[rate]) for rate in rates] for of in (min, max))
            ax.plot(rates, middle, "o-", color=colour, lw=1.4, ms=4, label=name)
            ax.fill_between(rates, low, high, color=colour, alpha=0.15, lw=0)
    ax.set_xscale("log")
