"""Accuracy against the size of the graph."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geomem.analysis.figures.groups import Group, arm_count, grouped, standard
from geomem.analysis.figures.style import COLOURS, INK, frame, legend_below, title
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Often equal, so one is broad and pale and the other thin and on top of it.
STYLES: dict[str, dict[str, Any]] = {
    "exact_match": {"linestyle": "-", "lw": 4, "alpha": 0.45},
    "first_hop": {"linestyle": "--", "lw": 1.2},
}
MARKS = {"exact_match": "o", "first_hop": "x"}


def accuracy_against_size(members: Sequence[Member]) -> "Figure | None":
    """Held-out accuracy of path-stars against their arms: a dot per run, a line per median."""
    stars = [m for m in members if m.has("arms") and standard(m)]
    if not stars:
        return None
    apart = ("seed", "graph.arms")
    lines = sorted(grouped(stars, apart), key=lambda group: -len(_by_arms(group)))
    figure, (ax,) = frame(1, 1, 6.4, 4.4)
    for colour, group in zip(COLOURS, lines, strict=False):
        for metric in STYLES:
            _draw(ax, group, metric, colour)
    sizes = sorted({arms for group in lines[: len(COLOURS)] for arms in _by_arms(group)})
    ax.plot(sizes, [1 / size for size in sizes], ":", color=INK, label="chance, 1 / arms")
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    ax.set(xlabel="arms of the path-star", ylabel="accuracy on held-out leaves (share)")
    ax.set_ylim(-0.03, 1.05)
    title(figure, "In-weights path-star: paths never trained on", len(COLOURS), len(lines))
    legend_below(figure, [ax], 3)
    return figure


def _by_arms(group: Group) -> dict[int, list[Member]]:
    found: dict[int, list[Member]] = {}
    for member in group.members:
        found.setdefault(arm_count(member), []).append(member)
    return dict(sorted(found.items()))


def _draw(ax: "Axes", group: Group, metric: str, colour: str) -> None:
    found = {arms: [m.final(metric) for m in ms] for arms, ms in _by_arms(group).items()}
    label = f"{group.label}: {metric.replace('_', ' ')}"
    medians = [np.median(v) for v in found.values()]
    ax.plot(list(found), medians, color=colour, label=label, **STYLES[metric])
    for arms, values in found.items():
        ax.plot([arms] * len(values), values, MARKS[metric], color=colour, ms=5, alpha=0.6)
