"""How facts are stored: measures beside their controls, firing neurons, and what width does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geomem.analysis.batches import measure
from geomem.analysis.facts.gates import firing
from geomem.analysis.facts.network import TENSORS, Facts, facts_of
from geomem.analysis.facts.summary import structure
from geomem.analysis.facts.thresholds import WIDTHS
from geomem.analysis.figures.groups import Group, grouped
from geomem.analysis.figures.style import (
    COLOURS,
    MAX_PANELS,
    PALE,
    flow,
    folded,
    legend_below,
    title,
)
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Each measure with its controls, as `analysis.facts.summary` names them.
BESIDE = {
    "superposition_r2": ("superposition_r2_permuted",),
    "ridge_r2": ("ridge_r2_permuted",),
    "jacobian_probe": (),
    "probe": ("probe_permuted",),
    "exchange_target": (),
    "exchange_others": (),
    "zero_shot": ("zero_shot_old", "zero_shot_wrong", "zero_shot_untrained"),
    "zero_shot_ridge": ("zero_shot_ridge_wrong",),
}
CONTROL_NAMES = ("permuted", "old", "wrong", "untrained")
OVER_WIDTH = ("accuracy", "zero_shot", "zero_shot_ridge", "zero_shot_untrained", "jacobian_probe")
MAX_GROUPS = 6
WIDTH = WIDTHS["width"]


def with_network(members: Sequence[Member]) -> list[Member]:
    """Runs of facts whose network can be asked again."""
    return [m for m in members if m.has("answers") and m.has("parameters/query") and _one_hop(m)]


def _one_hop(member: Member) -> bool:
    return bool(member.config["task"]["hops"] == 1)


def facts_structure(members: Sequence[Member]) -> "Figure | None":
    """Every measure of how facts are stored with its controls: a dot per run."""
    groups = grouped(with_network(members))
    if not groups:
        return None
    shown = sorted(groups, key=lambda group: -group.first.config["model"]["width"])[:MAX_GROUPS]
    figure, axes = flow(len(shown), 3, 3.6, 3.0, sharey=True, sharex=True)
    for ax, group in zip(axes, shown, strict=True):
        _draw_structure(ax, group)
    axes[0].invert_yaxis()
    title(
        figure, "How facts are stored; filled: measured, hollow: controls", len(shown), len(groups)
    )
    legend_below(figure, axes, 5)
    return figure


def _draw_structure(ax: "Axes", group: Group) -> None:
    rows = measure(group.members, structure)
    marks = dict(zip(CONTROL_NAMES, ("o", "s", "^", "D"), strict=True))
    for at, (name, controls) in enumerate(BESIDE.items()):
        values = [row.metrics[name] for row in rows if name in row.metrics]
        ax.plot(values, [at] * len(values), "o", color=COLOURS[0], ms=5, label="measured")
        for control in controls:
            kind = control.rpartition("_")[2]
            values = [max(row.metrics[control], -0.15) for row in rows if control in row.metrics]
            style: dict[str, Any] = {
                "mfc": "none",
                "color": COLOURS[1],
                "ms": 5,
                "label": f"control: {kind}",
            }
            ax.plot(values, [at] * len(values), marks[kind], ls="none", **style)
    ax.axvline(0, color=PALE, lw=0.6)
    ax.set_yticks(range(len(BESIDE)), [name.replace("_", " ") for name in BESIDE], fontsize=7)
    ax.set_xlim(-0.2, 1.05)
    ax.grid(axis="x", color=PALE, lw=0.3)
    ax.tick_params(axis="x", labelsize=7)
    ax.set_xlabel("R², or share of facts", fontsize=8)
    ax.set_title(_title(group), fontsize=8)


def facts_gates(members: Sequence[Member]) -> "Figure | None":
    """How often each neuron fires at each relation, first seed of each configuration."""
    groups = grouped(with_network(members))
    if not groups:
        return None
    shown = sorted(groups, key=lambda group: -group.first.config["model"]["width"])[:MAX_GROUPS]
    figure, axes = flow(len(shown), 2, 4.4, 1.9)
    for ax, group in zip(axes, shown, strict=True):
        rates = firing(_facts(group.first))
        order = np.lexsort(rates.round(1)[::-1])
        image = ax.imshow(rates[:, order], cmap="magma", vmin=0, vmax=1, aspect="auto")
        ax.set_yticks(range(len(rates)), [str(r) for r in range(len(rates))], fontsize=7)
        ax.set_xticks([])
        ax.set_xlabel(f"{rates.shape[1]} neurons, sorted", fontsize=8)
        ax.set_ylabel("relation", fontsize=8)
        ax.set_title(_title(group), fontsize=8)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=30)
    bar.set_label("share of subjects at which it fires", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    title(figure, "Neurons of the MLP as selectors; first seed", len(shown), len(groups))
    return figure


def _facts(member: Member) -> Facts:
    names = [n for n in member.pack.names if n in TENSORS or n.startswith("parameters/")]
    tensors = {name: member.tensor(name) for name in names}
    return facts_of(tensors, member.config, member.config["seed"])


def facts_over_width(members: Sequence[Member]) -> "Figure | None":
    """Accuracy on trained and on new facts against width: line: median, dot: run."""
    known = with_network(members)
    groups = grouped(known, ("seed", WIDTH))
    fit = [g for g in groups if len({m.config["model"]["width"] for m in g.members}) > 1]
    if not fit:
        return None
    figure, axes = flow(min(len(fit), MAX_PANELS), 4, 2.9, 2.6, sharey=True)
    for ax, group in zip(axes, fit, strict=False):
        _draw_over_width(ax, group)
    axes[0].set_ylim(-0.03, 1.05)
    figure.supylabel("share of facts", fontsize=9)
    title(figure, "What is recalled, and what transfers, against width", len(axes), len(fit))
    legend_below(figure, axes, 3)
    return figure


def _draw_over_width(ax: "Axes", group: Group) -> None:
    from matplotlib.ticker import MaxNLocator

    rows = measure(group.members, structure)
    for colour, name in zip(COLOURS, OVER_WIDTH, strict=False):
        points: dict[float, list[float]] = {}
        for row in rows:
            if name in row.metrics:
                points.setdefault(float(row.fields[WIDTH] or 0), []).append(row.metrics[name])
        widths = sorted(points)
        ax.plot(
            widths,
            [np.median(points[w]) for w in widths],
            color=colour,
            lw=1.3,
            label=name.replace("_", " "),
        )
        for width in widths:
            ax.plot([width] * len(points[width]), points[width], ".", color=colour, ms=4, alpha=0.6)
    ax.set_xlabel("width", fontsize=8)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.tick_params(labelsize=7)
    ax.set_title(folded(group.label, group.graph), fontsize=8)


def _title(group: Group) -> str:
    width = f"width {group.first.config['model']['width']}"
    named = width in group.label.split(", ")
    return folded(group.label, group.graph if named else f"{group.graph}, {width}")
