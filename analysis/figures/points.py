"""Embeddings as points: tiny graphs in the plane, all graphs in space."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geomem.analysis.arrays import Floats, Ints
from geomem.analysis.figures.groups import Group, grouped, with_graph
from geomem.analysis.figures.projection import Projection, project
from geomem.analysis.figures.style import COLOURS, INK, MAX_PANELS, PALE, flow, folded, frame, title
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TINY = 64  # nodes whose edges can all be drawn
MAX_NODES = 20_000
MAX_SIDE = 6


def embeddings(members: Sequence[Member]) -> "Figure | None":
    """Tiny graphs in the first two principal components of their embeddings, first seed each."""
    cells: dict[tuple[str, str], Member] = {}
    for group in grouped(with_graph(members)):
        if group.nodes <= TINY:
            cells.setdefault((group.label, group.graph), group.first)
    if not cells:
        return None
    rows, columns = (list(dict.fromkeys(key[i] for key in cells))[:MAX_SIDE] for i in (0, 1))
    figure, axes = frame(len(rows), len(columns), 2.5, 2.5)
    for ax, key in zip(axes, ((row, column) for row in rows for column in columns), strict=True):
        ax.set(xticks=[], yticks=[])
        if key in cells:
            _draw_plane(ax, cells[key])
        if key[0] == rows[0]:
            ax.set_title(key[1], fontsize=10)
        if key[1] == columns[0]:
            ax.set_ylabel(folded(key[0], letters=28), fontsize=8)
    figure.supxlabel("1st principal component →", fontsize=8)
    figure.supylabel("2nd principal component →", fontsize=8)
    drawn = sum(row in rows and column in columns for row, column in cells)
    title(figure, "Embeddings of tiny graphs; colour: node order", drawn, len(cells))
    return figure


def embeddings_3d(members: Sequence[Member], how: Projection = "pca") -> "Figure | None":
    """Embeddings with edges in three dimensions, first seed of each configuration.

    Larger path-stars show seven arms, held-out ones if there are any, and all other nodes in grey.
    """
    shown = [group for group in grouped(with_graph(members)) if 4 <= group.nodes <= MAX_NODES]
    if not shown:
        return None
    figure, axes = flow(min(len(shown), MAX_PANELS), 4, 3.0, 3.2, subplot_kw={"projection": "3d"})
    for ax, group in zip(axes, shown, strict=False):
        _draw_space(ax, group, how)
    name = {"pca": "principal components", "umap": "UMAP of cosine distances"}[how]
    arms = ["; grey: all nodes, colours: seven of the arms"] if shown[0].nodes > TINY else []
    text = "".join([f"Embeddings in three dimensions ({name})", *arms])
    title(figure, text, len(axes), len(shown))
    return figure


def _draw_plane(ax: "Axes", member: Member) -> None:
    points = project(member.tensor("embedding"), "pca", 2)
    edges = member.tensor("edges")
    x, y = points.T
    ax.plot(x[edges].T, y[edges].T, color=INK, lw=0.8, alpha=0.6)
    ax.scatter(x, y, c=np.arange(len(points)), cmap="viridis", s=24, zorder=2)
    ax.set_aspect("equal", adjustable="datalim")


def _draw_space(ax: Any, group: Group, how: Projection) -> None:
    member = group.first
    points = project(member.tensor("embedding"), how)
    ax.computed_zorder = False  # arms in front of the grey cloud, wherever they lie
    if len(points) <= TINY:
        _lines(ax, points, member.tensor("edges"), INK)
        ax.scatter(
            *points.T, c=np.arange(len(points)), cmap="viridis", s=18, depthshade=False, zorder=3
        )
    else:
        ax.scatter(*points.T, color=PALE, s=3, linewidths=0, depthshade=False, rasterized=True)
        for colour, nodes in zip(COLOURS, _arms_to_show(member), strict=False):
            _lines(ax, points, np.stack([nodes[:-1], nodes[1:]], 1), colour)
            ax.scatter(*points[nodes].T, color=colour, s=12, depthshade=False, zorder=3)
    words = "PC" if how == "pca" else "UMAP"
    for axis, number in (("x", 1), ("y", 2), ("z", 3)):
        getattr(ax, f"set_{axis}label")(f"{words} {number}", fontsize=7, labelpad=-12)
    ax.set(xticklabels=[], yticklabels=[], zticklabels=[])
    ax.set_box_aspect((1, 1, 1), zoom=1.0)
    ax.set_title(folded(group.label, group.graph), fontsize=8)


def _arms_to_show(member: Member) -> Ints:
    """Nodes of up to seven arms or paths, [paths, length]."""
    name = next((name for name in ("arms", "paths") if member.has(name)), None)
    if name is None:
        return np.empty((0, 0), np.int64)
    paths = member.tensor(name)
    return paths[member.tensor("held_out")] if member.has("held_out") else paths


def _lines(ax: Any, points: Floats, edges: Ints, colour: str) -> None:
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    ax.add_collection3d(Line3DCollection(points[edges], colors=colour, lw=0.8, alpha=0.7, zorder=2))
