"""The width that facts take against their number, and the laws that it follows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geomem.analysis.arrays import Floats
from geomem.analysis.batches import measure
from geomem.analysis.facts.laws import Fit, families, fits
from geomem.analysis.facts.summary import transfer
from geomem.analysis.facts.thresholds import LEVELS, Threshold, thresholds
from geomem.analysis.figures.facts import with_network
from geomem.analysis.figures.style import (
    COLOURS,
    INK,
    MAX_PANELS,
    flow,
    folded,
    legend_below,
    title,
)
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {"memorised": "trained facts recalled", "generic": "new facts recalled by transfer"}
STYLES = {"R log N": ":", "N R": "--", "power law": "-"}
HOLLOW = "below or above all widths tried"


def facts_capacity(members: Sequence[Member]) -> "Figure | None":
    """Thresholds of the width against the number of subjects, a colour per number of relations.

    A dot per seed: hollow where it crossed below or above all widths that were tried.
    """
    found = families(thresholds(measure(with_network(members), transfer), LEVELS))
    found = [family for family in found if any(t.exact for t in family)] or found[:1]
    if not found:
        return None
    shown = found[:MAX_PANELS]
    figure, axes = flow(len(shown), 3, 3.8, 3.4)
    for ax, family in zip(axes, shown, strict=True):
        _draw(ax, family)
        _name(ax, family, found)
    title(figure, "Width that facts take, and laws fitted to the medians", len(shown), len(found))
    legend_below(figure, axes, 4)
    return figure


def _draw(ax: "Axes", family: Sequence[Threshold]) -> None:
    sizes = sorted({t.size[0] for t in family})
    colours = dict(zip(sorted({t.size[1] for t in family}), COLOURS, strict=False))
    for relations, colour in colours.items():
        own = [t for t in family if t.size[1] == relations]
        _points(ax, own, colour, f"{relations:.0f} relations")
    if not all(t.exact for t in family):
        ax.plot([], [], "o", color=INK, mfc="none", ms=4, label=HOLLOW)
    for law in fits(family):
        for relations, colour in colours.items():
            _law(ax, law, np.array(sizes), relations, colour)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
    _tick_widths(ax)
    ax.minorticks_off()
    ax.tick_params(labelsize=7)
    ax.set_xlabel("subjects", fontsize=8)
    ax.set_ylabel("width", fontsize=8)


def _tick_widths(ax: "Axes") -> None:
    """Powers of two, or round widths where fewer than two of those are in view."""
    from matplotlib.ticker import MaxNLocator

    low, high = ax.get_ylim()
    if np.floor(np.log2(high)) - np.ceil(np.log2(low)) < 1:
        ticks = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        ax.set_yticks([tick for tick in ticks if low <= tick <= high])
    ax.yaxis.set_major_formatter("{x:g}")


def _points(ax: "Axes", own: Sequence[Threshold], colour: str, label: str) -> None:
    ax.plot([], [], "o", color=colour, ms=4, label=label)  # the legend's, never hollow
    for threshold in own:
        for at in threshold.crossings.values():
            face = colour if at.bound == 0 else "none"
            ax.plot(threshold.size[0], at.width, "o", color=colour, mfc=face, ms=4)


def _law(ax: "Axes", law: Fit, sizes: Floats, relations: float, colour: str) -> None:
    label = f"{law.law}, R² {law.r2:.2f}"
    if law.law == "power law":
        label = f"R^{law.relations:.2f} N^{law.subjects:.2f}, R² {law.r2:.2f}"
    style: dict[str, Any] = {"color": colour, "lw": 0.8, "ls": STYLES[law.law]}
    ax.plot(sizes, law.width(sizes, relations), label=f"{law.kind}: {label}", **style)


def _name(ax: "Axes", family: Sequence[Threshold], of: Sequence[Sequence[Threshold]]) -> None:
    """The level, and the fields in which this family is unlike the others."""
    kind, fields = family[0].kind, family[0].fields
    apart = [
        f"{name.rpartition('.')[2]} {value}"
        for name, value in fields.items()
        if not name.startswith("task.") or name == "task.attributes"
        if any(other[0].fields.get(name) != value for other in of)
    ]
    ax.set_title(folded(f"{NAMES[kind]}: {LEVELS[kind]:.0%}", ", ".join(apart)), fontsize=8)
