"""Measures and geometry over training steps."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geomem.analysis.arrays import Floats, Ints
from geomem.analysis.figures.groups import Group, grouped, with_graph
from geomem.analysis.figures.style import COLOURS, DASHES, frame, legend_below, line_style, title
from geomem.analysis.geometry import geometric_level
from geomem.analysis.hops import hop_correlation, hop_table
from geomem.analysis.retrieval import first_hop_retrieval
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = tuple[Ints, Floats]  # steps, values
MAX_COLUMNS, MAX_LINES = 5, len(COLOURS) * len(DASHES)
# Parts of a decade that have a tick, on a logarithmic axis of less than so many decades; then
# whole decades alone.
TICKS = ((1.2, (1, 1.5, 2, 3, 5)), (2.5, (1, 2, 5)), (5, (1, 3)))

MEASURES = {
    "loss": "loss (nats)",
    "edge_accuracy": "edge accuracy (share)",
    "edge_recovery": "edge recovery (share)",
    "exact_match": "held-out exact match (share)",
    "accuracy": "accuracy on facts (share)",
    "held_out_accuracy": "held-out accuracy on facts (share)",
    "first_hop": "held-out first hop (share)",
}


def measures_over_steps(members: Sequence[Member]) -> "Figure | None":
    """Loss and accuracies over training, a panel per measure and graph."""
    rows = {label: metric(name) for name, label in MEASURES.items()}
    return curves(members, rows, "Measures over training; band: lowest to highest seed")


def geometry_over_steps(members: Sequence[Member]) -> "Figure | None":
    """Geometry of the embeddings that were kept while training, a panel per measure and graph."""
    rows: dict[str, Callable[[Member], Curve | None]] = {
        "mean cosine of edges": _level,
        "Spearman with hops": _spearman,
        "AUC of own first hop": _own_arm_auc,
    }
    kept = [m for m in with_graph(members) if m.has("history/embedding")]
    return curves(kept, rows, "Geometry over training; band: lowest to highest seed")


def curves(
    members: Sequence[Member], rows: Mapping[str, Callable[[Member], Curve | None]], text: str
) -> "Figure | None":
    """A panel per measure (its label, and the curve of a run) and graph; None without curves."""
    groups = grouped(members)
    columns = list(dict.fromkeys(group.graph for group in groups))[:MAX_COLUMNS]
    lines = list(dict.fromkeys(group.label for group in groups))[:MAX_LINES]
    shown = [group for group in groups if group.graph in columns and group.label in lines]
    found = {
        label: [_of_group(group, compute) for group in shown] for label, compute in rows.items()
    }
    found = {label: curves for label, curves in found.items() if any(curves)}
    if not found:
        return None
    figure, axes = frame(len(found), len(columns), 2.9, 2.3)
    for row, (label, curves) in enumerate(found.items()):
        for group, curve in zip(shown, curves, strict=True):
            ax = axes[row * len(columns) + columns.index(group.graph)]
            if curve:
                _draw(ax, curve, line_style(lines.index(group.label)), group.label)
        _finish_row(axes[row * len(columns) :][: len(columns)], label)
    _finish_columns(axes, columns)
    title(figure, text, len(shown), len(groups))
    legend_below(figure, axes)
    return figure


def _of_group(group: Group, compute: Callable[[Member], Curve | None]) -> list[Curve]:
    return [curve for member in group.members if (curve := compute(member))]


def _draw(ax: "Axes", curves: Sequence[Curve], style: dict[str, Any], label: str) -> None:
    """Median and range over runs; one that stopped early stays where it was."""
    steps = max((steps for steps, _ in curves), key=len)
    values = np.stack([np.interp(steps, *curve) for curve in curves])
    ax.plot(steps, np.median(values, 0), lw=1.4, label=label, **style)
    if len(curves) > 1:
        ax.fill_between(steps, values.min(0), values.max(0), color=style["color"], alpha=0.2, lw=0)


def _finish_row(axes: "Sequence[Axes]", label: str) -> None:
    """Name the measure once; one scale for the whole row, logarithmic for losses."""
    drawn = [ax for ax in axes if ax.lines]
    for ax in axes:
        ax.tick_params(labelsize=7)
        if ax is not drawn[0]:
            ax.sharey(drawn[0])
    if label.startswith("loss"):
        _logarithmic(drawn[0])
    elif label.startswith("AUC") or "share" in label:
        drawn[0].set_ylim(-0.03, 1.05)
    drawn[0].set_ylabel(label, fontsize=8)


def _logarithmic(ax: "Axes") -> None:
    """A logarithmic axis, with as many ticks as find room beside each other."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_yscale("log")
    low, high = ax.get_ylim()
    parts = next((parts for most, parts in TICKS if np.log10(high / low) < most), (1,))
    ax.yaxis.set_major_locator(LogLocator(subs=parts))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def _finish_columns(axes: "Sequence[Axes]", columns: Sequence[str]) -> None:
    """Name graphs above, steps below; a place without a curve stays white."""
    for at, name in enumerate(columns):
        column = axes[at :: len(columns)]
        column[0].set_title(name, fontsize=9)
        drawn = [ax for ax in column if ax.lines]
        if drawn:
            drawn[-1].set_xlabel("training step", fontsize=8)
        for ax in column:
            ax.axis("on" if ax in drawn else "off")


def metric(name: str) -> Callable[[Member], Curve | None]:
    """The curve of a metric where it was measured, for `curves`."""

    def curve(member: Member) -> Curve | None:
        if not member.has(f"metrics/{name}"):
            return None
        values = member.tensor(f"metrics/{name}")
        known = ~np.isnan(values)
        return (member.tensor("metrics_step")[known], values[known]) if known.any() else None

    return curve


def _level(member: Member) -> Curve:
    values = geometric_level(member.tensor("history/embedding"), member.tensor("edges"))
    return member.tensor("history_step"), values


def _spearman(member: Member) -> Curve | None:
    history = member.tensor("history/embedding")
    table = hop_table(member.tensor("edges"), history.shape[1])
    values = hop_correlation(history, table)
    return None if np.isnan(values).all() else (member.tensor("history_step"), values)


def _own_arm_auc(member: Member) -> Curve | None:
    if not member.has("arms"):
        return None
    unseen = member.tensor("held_out") if member.has("held_out") else None
    found = first_hop_retrieval(member.tensor("history/embedding"), member.tensor("arms"), unseen)
    return member.tensor("history_step"), found.auc.mean(-1)
