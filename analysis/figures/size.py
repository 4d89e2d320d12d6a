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
RUN: dict[str, Any] = {"ms": 5, "alpha": 0.6}
BESIDE, HALF = {"exact_match": -0.15, "first_hop": 0.15}, 0.12  # of the room of a configuration


def accuracy_against_size(members: Sequence[Member]) -> "Figure | None":
    """Held-out accuracy of path-stars against their arms: a mark per run, a line per median.

    Of a single size, configurations stand side by side.
    """
    stars = [m for m in members if m.has("arms") and standard(m)]
    if not stars:
        return None
    apart = ("seed", "graph.arms")
    groups = grouped(stars, apart, graph_beside=False)
    lines = sorted(groups, key=lambda group: -len(_by_arms(group)))
    shown = lines[: len(COLOURS)]
    sizes = sorted({arms for group in shown for arms in _by_arms(group)})
    figure, (ax,) = frame(1, 1, 6.4, 4.4)
    for colour, group in zip(COLOURS, shown, strict=False):
        ax.plot([], [], color=colour, lw=4, label=group.label)
    if len(sizes) > 1:
        _lines(ax, shown, sizes)
    else:
        _columns(ax, shown, sizes[0])
    ax.set_ylabel("accuracy on held-out leaves (share)")
    ax.set_ylim(-0.03, 1.05)
    title(figure, "In-weights path-star: paths never trained on", len(COLOURS), len(lines))
    legend_below(figure, [ax], 3)
    return figure


def _lines(ax: "Axes", groups: Sequence[Group], sizes: Sequence[int]) -> None:
    """Against the arms, with medians joined."""
    for colour, group in zip(COLOURS, groups, strict=False):
        for metric, style in STYLES.items():
            found = _values(group, metric)
            medians = [np.median(values) for values in found.values()]
            ax.plot(list(found), medians, color=colour, **style)
            for arms, values in found.items():
                ax.plot([arms] * len(values), values, MARKS[metric], color=colour, **RUN)
    for metric, style in STYLES.items():
        label = f"{_words(metric)}: runs and their median"
        ax.plot([], [], marker=MARKS[metric], ms=5, color=INK, label=label, **style)
    ax.plot(sizes, [1 / size for size in sizes], ":", color=INK, label="chance, 1 / arms")
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    ax.set_xlabel("arms of the path-star")


def _columns(ax: "Axes", groups: Sequence[Group], arms: int) -> None:
    """Each configuration in a place of its own; no line would join anything."""
    for at, (colour, group) in enumerate(zip(COLOURS, groups, strict=False)):
        for metric, mark in MARKS.items():
            (values,) = _values(group, metric).values()
            x = at + BESIDE[metric]
            ax.plot([x] * len(values), values, mark, color=colour, **RUN)
            ax.hlines(np.median(values), x - HALF, x + HALF, color=colour)
    for metric, mark in MARKS.items():
        ax.plot([], [], mark, color=INK, ms=5, label=f"{_words(metric)}, a run")
    ax.plot([], [], "-", color=INK, label="median of the runs")
    ax.axhline(1 / arms, linestyle=":", color=INK, label="chance, 1 / arms")
    ax.set_xlim(-0.6, len(groups) - 0.4)
    ax.set_xticks([])
    ax.set_xlabel(f"configurations, all on path-stars of {arms} arms")


def _by_arms(group: Group) -> dict[int, list[Member]]:
    found: dict[int, list[Member]] = {}
    for member in group.members:
        found.setdefault(arm_count(member), []).append(member)
    return dict(sorted(found.items()))


def _values(group: Group, metric: str) -> dict[int, list[float]]:
    return {arms: [m.final(metric) for m in own] for arms, own in _by_arms(group).items()}


def _words(metric: str) -> str:
    return metric.replace("_", " ")
