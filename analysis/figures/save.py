"""All figures that a sweep allows, drawn and saved."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from geomem.analysis.figures.capacity import facts_capacity
from geomem.analysis.figures.evolution import geometry_over_steps, measures_over_steps
from geomem.analysis.figures.facts import facts_gates, facts_over_width, facts_structure
from geomem.analysis.figures.heat_maps import leaf_by_first_hop, path_by_path
from geomem.analysis.figures.points import embeddings, embeddings_3d
from geomem.analysis.figures.projection import Projection
from geomem.analysis.figures.size import accuracy_against_size
from geomem.analysis.figures.spectra import spectra
from geomem.analysis.figures.spectra_over_steps import spectra_over_steps
from geomem.analysis.figures.tokens import accuracy_per_token
from geomem.analysis.pictures import save_picture
from geomem.analysis.sweeps import Member
from geomem.train.packs import make_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[Sequence[Member]], "Figure | None"]
OF_FACTS: dict[str, Draw] = {
    "facts_structure": facts_structure,
    "facts_gates": facts_gates,
    "facts_over_width": facts_over_width,
    "facts_capacity": facts_capacity,
}
FIGURES: dict[str, Draw] = {
    "accuracy_against_size": accuracy_against_size,
    "measures_over_steps": measures_over_steps,
    "accuracy_per_token": accuracy_per_token,
    "leaf_by_first_hop": leaf_by_first_hop,
    "path_by_path": path_by_path,
    "embeddings": embeddings,
    "embeddings_3d": embeddings_3d,
    "geometry_over_steps": geometry_over_steps,
    "spectra": spectra,
    "spectra_over_steps": spectra_over_steps,
    **OF_FACTS,
}


def drawn(
    members: Sequence[Member], projection: Projection = "pca"
) -> "Iterator[tuple[str, Figure]]":
    """Name and figure of everything that the members allow. Raises MissingUmap."""
    draws = FIGURES | {"embeddings_3d": partial(embeddings_3d, how=projection)}
    for name, draw in draws.items():
        figure = draw(members)
        if figure is not None:
            yield name, figure


def save_figures(
    members: Sequence[Member], folder: Path, suffix: str, projection: Projection = "pca"
) -> list[Path]:
    """Save every figure that the members allow into a folder; return the files.

    Raises MissingUmap and DiskError.
    """
    make_folder(folder)
    written = []
    for name, figure in drawn(members, projection):
        path = folder / f"{name}.{suffix}"
        save_picture(figure, path, 150)
        written.append(path)
    return written
