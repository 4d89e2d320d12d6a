"""Accuracy of each target token over training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geomem.analysis.figures.groups import Group, grouped
from geomem.analysis.figures.style import MAX_PANELS, flow, folded, legend_below, title
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDEST, NARROWEST = 4.5, 1.4  # points


def accuracy_per_token(members: Sequence[Member]) -> "Figure | None":
    """Accuracy of each target token over training, one line per position, median over seeds."""
    shown = [group for group in grouped(members) if group.first.has("metrics/target_accuracy")]
    if not shown:
        return None
    figure, axes = flow(min(len(shown), MAX_PANELS), 4, 2.9, 2.5, sharey=True)
    most = max(group.first.tensor("metrics/target_accuracy").shape[1] for group in shown)
    for ax, group in zip(axes, shown, strict=False):
        _draw_tokens(ax, group, most)
    figure.supylabel("held-out accuracy (share)", fontsize=9)
    title(
        figure,
        "Accuracy of each target token over training, in the order of the target",
        len(axes),
        len(shown),
    )
    legend_below(figure, axes, 6)
    return figure


def _under_the_next(position: int, most: int) -> dict[str, Any]:
    """Width and dashes of a line that stays in sight under those of all later positions.

    Each is narrower than the one before, and all but the first leave gaps, the later the wider.
    """
    last = position / max(1, most - 1)  # 0: first, 1: last
    width = WIDEST + (NARROWEST - WIDEST) * last
    dash, gap = 5, 2 + 6 * last  # points
    dashes = (dash / width, gap / width) if position else (None, None)  # in widths
    return {"lw": width, "dashes": dashes}


def _draw_tokens(ax: "Axes", group: Group, most: int) -> None:
    from matplotlib import colormaps

    stacked = np.stack([m.tensor("metrics/target_accuracy") for m in group.members])
    steps, values = group.first.tensor("metrics_step"), np.median(stacked, 0)
    for position, curve in enumerate(values.T):
        colour = colormaps["viridis"](0.9 * position / max(1, most - 1))
        known, style = ~np.isnan(curve), _under_the_next(position, most)
        ax.plot(steps[known], curve[known], color=colour, label=f"token {position + 1}", **style)
    ax.set_title(folded(group.label, group.graph), fontsize=8)
    ax.set_xlabel("training step", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.set_ylim(-0.03, 1.05)
