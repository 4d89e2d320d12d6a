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
from geomem.train.sweep.words import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Passed = Callable[[int], None]
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


def ignored(count: int) -> None:
    """Take no notice of how many are done."""


def drawn(
    members: Sequence[Member], projection: Projection = "pca", passed: Passed = ignored
) -> "Iterator[tuple[str, Figure]]":
    """Name and figure of everything that the members allow. Raises MissingUmap.

    passed: told of each of FIGURES when it is done, or found to be none of theirs.
    """
    draws = FIGURES | {"embeddings_3d": partial(embeddings_3d, how=projection)}
    for name, draw in draws.items():
        figure = draw(members)
        if figure is not None:
            yield name, figure
        passed(1)


def left_out(members: Sequence[Member]) -> str:
    """How many runs figures do not show, in words; empty if they show all."""
    count = sum(not member.done for member in members)
    if not count:
        return ""
    return f"{count:,} of {plural(len(members), 'run')} diverged, and figures do not show them"


def save_figures(
    members: Sequence[Member],
    folder: Path,
    suffix: str,
    projection: Projection = "pca",
    passed: Passed = ignored,
) -> list[Path]:
    """Save every figure that the members allow into a folder; return the files.

    passed: as of `drawn`. Raises MissingUmap and DiskError.
    """
    make_folder(folder)
    written = []
    for name, figure in drawn(members, projection, passed):
        path = folder / f"{name}.{suffix}"
        save_picture(figure, path, 150)
        written.append(path)
    return written
