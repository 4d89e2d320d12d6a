"""Where an embedding comes to lie among the eigenvectors, while it is trained."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from geomem.analysis.arrays import Floats, Ints
from geomem.analysis.figures.groups import Group, grouped, with_graph
from geomem.analysis.figures.spectra import MAX_NODES, reference_of
from geomem.analysis.figures.style import COLOURS, MAX_PANELS, flow, folded, legend_below, title
from geomem.analysis.laplacian import SpectralReference
from geomem.analysis.spectrum import coefficient_projections, projections
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_SPACES = 8
HISTORY = "history/embedding"


def spectra_over_steps(members: Sequence[Member]) -> "Figure | None":
    """‖Vᵀe‖ over training, and ‖Ce‖ of tied Node2Vec; a line per eigenspace, first seed each.

    Of the first eight eigenspaces of −L by falling eigenvalue, trivial vectors left out; root mean
    square inside a space (arXiv 2510.26745). Graphs of more than 1 500 nodes are left out.
    """
    kept = [m for m in with_graph(members) if m.has(HISTORY)]
    fit = [group for group in grouped(kept) if 3 <= group.nodes <= MAX_NODES]
    shown = [(group, reference_of(group.first)) for group in fit[:MAX_PANELS]]
    panels = [
        (group, reference, name)
        for group, reference in shown
        if reference
        for name in ("‖Vᵀe‖", "‖Ce‖")
        if name == "‖Vᵀe‖" or _has_coefficients(group.first)
    ]
    if not panels:
        return None
    figure, axes = flow(len(panels), 4, 2.9, 2.6)
    for ax, (group, reference, name) in zip(axes, panels, strict=True):
        _draw(ax, group, reference, name)
    text = f"Embeddings V along eigenvectors e of −L over training; first {MAX_SPACES} eigenspaces"
    title(figure, text, len(shown), len(fit))
    legend_below(figure, axes, 2)
    return figure


def _has_coefficients(member: Member) -> bool:
    return member.config["model"]["kind"] == "node2vec" and not member.has("unembedding")


def _draw(ax: "Axes", group: Group, reference: SpectralReference, name: str) -> None:
    from matplotlib import colormaps

    steps, values = _over_steps(group.first, reference, name)
    for at, curve in reversed(list(enumerate(values.T))):
        colour = COLOURS[1] if at == 0 else colormaps["viridis"](0.9 * at / MAX_SPACES)
        label = "Fiedler-like eigenspace" if at == 0 else "next ones, from dark to light"
        ax.plot(steps, curve, color=colour, lw=2 if at == 0 else 1, label=label)
    _logarithmic(ax, values)
    ax.set_title(folded(group.label, group.graph), fontsize=8)
    ax.set_xlabel("training step", fontsize=8)
    ax.set_ylabel(name, fontsize=8)
    ax.tick_params(labelsize=7)


def _logarithmic(ax: "Axes", values: Floats) -> None:
    """A logarithmic axis that spans a decade at least, so that noise looks like noise."""
    from matplotlib.ticker import NullFormatter

    low, high = values.min() / 1.3, values.max() * 1.3
    wider = max(1.0, np.sqrt(10 * low / high))
    ax.set_yscale("log")
    ax.set_ylim(low / wider, high * wider)
    ax.yaxis.set_minor_formatter(NullFormatter())


def _over_steps(member: Member, reference: SpectralReference, name: str) -> tuple[Ints, Floats]:
    """Steps [S], and root mean squares over each eigenspace, [S, spaces]."""
    spaces = [space[~reference.trivial[space]] for space in reference.spaces]
    spaces = [space for space in spaces if len(space)][:MAX_SPACES]
    vectors = reference.vectors[:, np.concatenate(spaces)]
    history = member.tensor(HISTORY).astype(float)
    if name == "‖Vᵀe‖":
        sizes = projections(history, vectors)
    else:
        sizes = coefficient_projections(history, member.tensor("edges"), vectors)
    starts = np.cumsum([0, *map(len, spaces[:-1])])
    mean = np.add.reduceat(sizes**2, starts, axis=-1) / np.array([len(space) for space in spaces])
    # A logarithmic axis has no place for an exact zero.
    return member.tensor("history_step"), np.sqrt(np.maximum(mean, 1e-30))
