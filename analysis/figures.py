"""Figures of a sweep. Drawing only: what is drawn is computed elsewhere."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geomem.analysis.geometry import leaf_first_hop, own_arm_retrieval, principal_components
from geomem.analysis.packs import Member

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_ARMS = 64  # rows of a heat map that can still be told apart
INK, HOP, EXACT = "#333333", "#d9822b", "#1f6f8b"


def standard(member: Member) -> bool:
    """Whether a run is of the plain recipe, not one of the controls."""
    task, model = member.config["task"], member.config["model"]
    plain_task = task["edges"] == "both" and task["target"] == "full_path"
    plain_task &= task["recipe"] != "edges_only" and not task["reverse_paths"]
    return bool(plain_task and not model.get("freeze_embeddings") and member.done)


def accuracy_against_size(members: Sequence[Member]) -> "Figure | None":
    """Held-out accuracy of path-stars against their arms: a dot per seed, a line per median."""
    found = [m for m in members if m.config["graph"]["kind"] == "path_star" and standard(m)]
    if not found:
        return None
    figure, axes = _figure(1, 1, 5.2, 3.6)
    by_arms = defaultdict(list)
    for member in found:
        by_arms[member.config["graph"]["arms"]].append(member)
    sizes = sorted(by_arms)
    for metric, label, colour in (
        ("first_hop", "first hop", HOP),
        ("exact_match", "whole path", EXACT),
    ):
        values = [[m.final(metric) for m in by_arms[size]] for size in sizes]
        axes[0].plot(sizes, [np.median(v) for v in values], color=colour, label=label, lw=2)
        for size, row in zip(sizes, values, strict=True):
            axes[0].plot([size] * len(row), row, "o", color=colour, ms=4, alpha=0.5)
    axes[0].plot(sizes, [1 / size for size in sizes], ":", color=INK, label="chance")
    axes[0].set_xscale("log", base=2)
    axes[0].set_xticks(sizes, [str(size) for size in sizes])
    axes[0].set(xlabel="arms", ylabel="held-out accuracy", ylim=(-0.03, 1.05))
    axes[0].set_title("In-weights path-star: paths never trained on", fontsize=10)
    axes[0].legend(frameon=False, loc="center right")
    return figure


def leaf_by_first_hop(members: Sequence[Member]) -> "Figure | None":
    """Leaf x first-hop distances on held-out arms: a heat map per variant, of its largest graph."""
    stars = [m for m in members if m.config["graph"]["kind"] == "path_star" and m.done]
    stars = [m for m in stars if "held_out" in m.pack.names]
    shown: dict[str, Member] = {}
    for member in sorted(stars, key=lambda m: -m.config["graph"]["arms"]):
        shown.setdefault(_variant(member), member)
    if not shown:
        return None
    figure, axes = _figure(1, len(shown), 3.1 * len(shown) + 0.6, 3.5)
    for ax, (variant, member) in zip(axes, shown.items(), strict=True):
        distances = leaf_first_hop(member.tensor("embedding"), member.tensor("arms"))
        held_out = member.tensor("held_out")
        found = own_arm_retrieval(distances, held_out)
        part = held_out[:MAX_ARMS]
        image = ax.imshow(distances[np.ix_(part, part)], cmap="magma", vmin=0, vmax=1.2)
        arms = member.config["graph"]["arms"]
        ax.set_title(f"{variant}, {arms} arms\nAUC {found.auc.mean():.3f}", fontsize=9)
        ax.set(xlabel="first hop of arm", ylabel="leaf of arm", xticks=[], yticks=[])
    figure.colorbar(image, ax=axes, label="cosine distance", shrink=0.8)
    figure.suptitle("Held-out arms: own arm on the diagonal", fontsize=10)
    return figure


def embeddings(members: Sequence[Member]) -> "Figure | None":
    """Tiny graphs in the first two principal components of their embeddings, first seed each."""
    cells: dict[tuple[str, str], Member] = {}
    for member in members:
        if member.done and len(member.tensor("embedding")) <= MAX_ARMS:
            key = (_model_name(member), member.config["graph"]["kind"].replace("_", "-"))
            cells.setdefault(key, member)
    if not cells:
        return None
    rows, columns = (list(dict.fromkeys(key[i] for key in cells)) for i in (0, 1))
    figure, axes = _figure(len(rows), len(columns), 2.5 * len(columns), 2.5 * len(rows))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            ax = axes[i * len(columns) + j]
            ax.set(xticks=[], yticks=[])
            ax.set_aspect("equal", adjustable="datalim")
            if (row, column) in cells:
                _draw_graph(ax, cells[row, column])
            if i == 0:
                ax.set_title(column, fontsize=10)
            if j == 0:
                ax.set_ylabel(row, fontsize=10)
    return figure


FIGURES: dict[str, Callable[[Sequence[Member]], "Figure | None"]] = {
    "accuracy_against_size": accuracy_against_size,
    "leaf_by_first_hop": leaf_by_first_hop,
    "embeddings": embeddings,
}


def save_figures(members: Sequence[Member], folder: Path, suffix: str) -> list[Path]:
    """Draw every figure that the members allow into a folder; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in FIGURES.items():
        figure = draw(members)
        if figure is not None:
            path = folder / f"{name}.{suffix}"
            figure.savefig(path, dpi=150)
            written.append(path)
    return written


def _figure(rows: int, columns: int, width: float, height: float) -> "tuple[Figure, list[Axes]]":
    # A figure without pyplot keeps no global state and needs no display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def _draw_graph(ax: "Axes", member: Member) -> None:
    points = principal_components(member.tensor("embedding"), 2)
    edges = member.tensor("edges")
    x, y = points.T
    ax.plot(x[edges].T, y[edges].T, color=INK, lw=0.8, alpha=0.6)
    ax.scatter(x, y, c=np.arange(len(points)), cmap="viridis", s=24, zorder=2)


def _model_name(member: Member) -> str:
    model = member.config["model"]
    if model["kind"] == "feed_forward" and model["freeze_embeddings"]:
        return "associative"
    return str(model["kind"]).replace("_", "-")


def _variant(member: Member) -> str:
    task, model = member.config["task"], member.config["model"]
    if model.get("freeze_embeddings"):
        return "frozen embeddings"
    if task["edges"] != "both":
        return f"{task['edges']} edges only"
    if task["target"] == "hardest_token":
        return "hardest token"
    return str(task["recipe"])
