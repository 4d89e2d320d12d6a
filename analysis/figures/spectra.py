"""How much of an embedding lies along each eigenvector of the graph."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geomem.analysis.arrays import Floats
from geomem.analysis.figures.data import spectrum_of
from geomem.analysis.figures.groups import Group, grouped, with_graph
from geomem.analysis.figures.style import COLOURS, INK, MAX_PANELS, flow, folded, title
from geomem.analysis.laplacian import SpectralReference, spectral_reference
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_BARS = 24
MAX_NODES = 1_500  # whose whole spectrum is computed in a second or two


def spectra(members: Sequence[Member]) -> "Figure | None":
    """‖Vᵀe_i‖ over the eigenvectors of −L, highest eigenvalue first, the trivial ones dropped.

    A bar is the median over seeds, its whisker the lowest and the highest. Graphs of more nodes
    than bars have one bar per eigenspace; graphs of more than 1 500 nodes are left out.
    """
    fit = [group for group in grouped(with_graph(members)) if 3 <= group.nodes <= MAX_NODES]
    references: dict[str, SpectralReference | None] = {}
    panels: list[tuple[Group, SpectralReference]] = []
    for group in fit[:MAX_PANELS]:
        if group.graph not in references:
            references[group.graph] = reference_of(group.first)
        if reference := references[group.graph]:
            panels.append((group, reference))
    if not panels:
        return None
    figure, axes = flow(len(panels), 4, 2.9, 2.5, sharey=True)
    for ax, (group, reference) in zip(axes, panels, strict=True):
        _draw(ax, group, reference)
    figure.supylabel("‖Vᵀe‖, largest = 1", fontsize=9)
    text = (
        "Embeddings V along the eigenvectors e of −L; orange: Fiedler-like eigenspace; "
        "line: eigenvalue, scaled to 0…1"
    )
    title(figure, text, len(panels), len(fit))
    return figure


def reference_of(member: Member) -> SpectralReference | None:
    """The eigenpairs of the run's graph, or None if a node has no edge."""
    edges = member.tensor("edges")
    try:
        return spectral_reference(
            edges[edges[:, 0] != edges[:, 1]], len(member.tensor("embedding"))
        )
    except ValueError:
        return None


def _draw(ax: "Axes", group: Group, reference: SpectralReference) -> None:
    kept = np.flatnonzero(~reference.trivial)
    spaces = [np.flatnonzero(np.isin(kept, space)) for space in reference.spaces]
    spaces = [space for space in spaces if len(space)]
    by_space = len(kept) > MAX_BARS
    bars = np.array([space[0] for space in spaces]) if by_space else np.arange(len(kept))
    vectors = reference.vectors[:, kept]
    each = [spectrum_of(m.tensor("embedding"), vectors, spaces)[bars] for m in group.members]
    _bars(ax, np.array(each)[:, :MAX_BARS], np.isin(bars, spaces[0])[:MAX_BARS])
    values = reference.values[kept]
    scaled = (values - values.min()) / max(np.ptp(values), 1e-12)
    scaled = scaled[bars][:MAX_BARS]
    ax.plot(np.arange(1, len(scaled) + 1), scaled, ".-", color=INK, lw=0.7, ms=2, alpha=0.6)
    ax.set_xlabel("eigenspace, highest first" if by_space else "eigenvector", fontsize=8)
    ax.set_title(folded(group.label, group.graph), fontsize=8)
    ax.tick_params(labelsize=7)
    ax.set(ylim=(0, 1.08), xlim=(0.3, len(scaled) + 0.7))


def _bars(ax: "Axes", each: Floats, fiedler: NDArray[np.bool_]) -> None:
    """Bars of the spectra of several seeds, [seeds, bars]."""
    x = np.arange(1, each.shape[1] + 1)
    ax.bar(x, np.median(each, 0), color=np.where(fiedler, COLOURS[1], COLOURS[0]), width=0.8)
    if len(each) > 1:
        ax.vlines(x, each.min(0), each.max(0), color=INK, lw=0.8)
