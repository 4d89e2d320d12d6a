"""Figures of a sweep. Drawing only: what is drawn is computed elsewhere."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geomem.analysis.geometry import leaf_first_hop, own_arm_retrieval, principal_components
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_ARMS = 64  # rows of a heat map that can still be told apart
DASHES = ("-", "--", ":")  # one per model
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
    figure, axes = _figure(1, 1, 5.6, 3.8)
    by_size: dict[tuple[str, int], list[Member]] = defaultdict(list)
    for member in found:
        by_size[_model_name(member), member.config["graph"]["arms"]].append(member)
    for model, dash in zip(
        sorted({model for model, _ in by_size}, reverse=True), DASHES, strict=False
    ):
        sizes = sorted(size for name, size in by_size if name == model)
        for metric, colour in (("first_hop", HOP), ("exact_match", EXACT)):
            label = f"{model}, {metric.replace('_', ' ')}"
            values = [[m.final(metric) for m in by_size[model, size]] for size in sizes]
            axes[0].plot(sizes, [np.median(v) for v in values], dash, color=colour, label=label)
            for size, row in zip(sizes, values, strict=True):
                axes[0].plot([size] * len(row), row, "o", color=colour, ms=4, alpha=0.5)
    sizes = sorted({size for _, size in by_size})
    axes[0].plot(sizes, [1 / size for size in sizes], ":", color=INK, label="chance")
    axes[0].set_xscale("log", base=2)
    axes[0].set_xticks(sizes, [str(size) for size in sizes])
    axes[0].set(xlabel="arms", ylabel="held-out accuracy", ylim=(-0.03, 1.05))
    axes[0].set_title("In-weights path-star: paths never trained on", fontsize=10)
    axes[0].legend(frameon=False, loc="center right")
    return figure


def leaf_by_first_hop(members: Sequence[Member]) -> "Figure | None":
    """Leaf x first-hop distances: a heat map per variant, of its largest graph.

    On held-out arms; on all of them where no paths were trained, as all are unseen there.
    """
    stars = [m for m in members if m.config["graph"]["kind"] == "path_star" and m.done]
    shown: dict[str, Member] = {}
    for member in sorted(stars, key=lambda m: -m.config["graph"]["arms"]):
        shown.setdefault(_variant(member), member)
    if not shown:
        return None
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = _figure(rows, columns, 3.1 * columns + 0.6, 3.3 * rows + 0.3)
    for ax in axes[len(shown) :]:
        ax.set_visible(False)
    for ax, (variant, member) in zip(axes, shown.items(), strict=False):
        distances = leaf_first_hop(member.tensor("embedding"), member.tensor("arms"))
        known = member.has("held_out")
        held_out = member.tensor("held_out") if known else np.arange(len(distances))
        found = own_arm_retrieval(distances, held_out)
        part = held_out[:MAX_ARMS]
        image = ax.imshow(distances[np.ix_(part, part)], cmap="magma", vmin=0, vmax=1.2)
        arms = member.config["graph"]["arms"]
        ax.set_title(f"{variant}, {arms} arms\nAUC {found.auc.mean():.3f}", fontsize=9)
        ax.set(xlabel="first hop of arm", ylabel="leaf of arm", xticks=[], yticks=[])
    figure.colorbar(image, ax=axes, label="cosine distance", shrink=0.8)
    figure.suptitle("Arms whose paths were never trained on: own arm on the diagonal", fontsize=10)
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
    words = [_model_name(member)]
    if model.get("freeze_embeddings"):
        words.append("frozen embeddings")
    if task["edges"] != "both":
        words.append(f"{task['edges']} edges only")
    if task["target"] == "hardest_token":
        words.append("hardest token")
    if task["recipe"] != "mixed":
        words.append(task["recipe"].replace("_", " "))
    return ", ".join(words)
