"""Distances between the parts of path-stars, as heat maps."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from geomem.analysis.arrays import Floats, Ints, to_numpy
from geomem.analysis.figures.groups import Group, arm_count, grouped
from geomem.analysis.figures.style import MAX_PANELS, flow, folded, title
from geomem.analysis.geometry import leaf_first_hop, path_contrast, path_distances
from geomem.analysis.retrieval import first_hop_retrieval
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_ARMS = 64  # rows of a heat map that can still be told apart


def leaf_by_first_hop(members: Sequence[Member]) -> "Figure | None":
    """Leaf x first-hop distances on held-out arms: a heat map per variant, of its largest graph.

    On all arms where no paths were trained, as all are unseen there.
    """
    text = "Leaf × first hop, arms whose paths were never trained on; own arm on the diagonal"
    return _maps(members, text, ("first hop of arm", "leaf of arm"), _leaf_first_hop)


def path_by_path(members: Sequence[Member]) -> "Figure | None":
    """Mean distances between and inside arms, root excluded, of the same arms."""
    text = "Path × path, arms whose paths were never trained on; inside an arm on the diagonal"
    return _maps(members, text, ("arm", "arm"), _path_path)


def _maps(
    members: Sequence[Member],
    text: str,
    names: tuple[str, str],
    compute: Callable[[Floats, Ints, Ints], tuple[Floats, str]],
) -> "Figure | None":
    shown = _largest(members)
    if not shown:
        return None
    figure, axes = flow(min(len(shown), MAX_PANELS), 4, 2.9, 3.3)
    for ax, group in zip(axes, shown, strict=False):
        member = group.first
        arms = member.tensor("arms")
        unseen = member.tensor("held_out") if member.has("held_out") else np.arange(len(arms))
        distances, measure = compute(member.tensor("embedding"), arms, unseen)
        image = ax.imshow(distances, cmap="magma", vmin=0, vmax=1.2)
        ax.set_title(folded(group.label, group.graph, measure), fontsize=8)
        ax.set_xlabel(f"{names[0]}, {len(distances)} shown", fontsize=8)
        ax.set_ylabel(f"{names[1]}", fontsize=8)
        _number(ax, unseen[: len(distances)])
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=30, extend="max")
    bar.set_label("cosine distance, 1 − cos", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    title(figure, text, len(axes), len(shown))
    return figure


def _largest(members: Sequence[Member]) -> list[Group]:
    """Of each label the group with the most arms."""
    stars = [m for m in members if m.has("arms")]
    shown: dict[str, Group] = {}
    for group in sorted(grouped(stars), key=lambda g: -arm_count(g.first)):
        shown.setdefault(group.label, group)
    return list(shown.values())


def _leaf_first_hop(embedding: Floats, arms: Ints, unseen: Ints) -> tuple[Floats, str]:
    found = first_hop_retrieval(embedding, arms, unseen)
    distances = to_numpy(leaf_first_hop(embedding, arms[unseen[:MAX_ARMS]]))
    return distances, f"AUC {found.auc.mean():.3f}, top-1 {found.top1.mean():.2f}"


def _path_path(embedding: Floats, arms: Ints, unseen: Ints) -> tuple[Floats, str]:
    within, between = path_contrast(embedding, arms[unseen])
    distances = to_numpy(path_distances(embedding, arms[unseen[:MAX_ARMS]]))
    named = {"inside": float(within), "between": float(between)}  # one arm has no other
    text = ", ".join(f"{name} {mean:.2f}" for name, mean in named.items() if not np.isnan(mean))
    return distances, text


def _number(ax: "Axes", arms: Ints) -> None:
    """Ticks at the first and the last arm, with their numbers in the graph."""
    ends = sorted({0, len(arms) - 1})
    labels = [str(arms[end]) for end in ends]
    ax.set_xticks(ends, labels, fontsize=7)
    ax.set_yticks(ends, labels, fontsize=7)
