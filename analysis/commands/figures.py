"""`geomem-analyze figures`: pictures of what a sweep has to show."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from geomem.analysis.commands.options import projection_option, sweep_options
from geomem.train.paths import FOLDER

if TYPE_CHECKING:
    from geomem.analysis.figures.projection import Projection


@click.command(name="figures")
@sweep_options
@click.option("--out", type=FOLDER, help="Folder; default: SWEEP/figures.")
@click.option("--format", "suffix", type=click.Choice(["png", "svg", "pdf"]), default="png")
@projection_option("the embeddings in three dimensions")
def command(
    sweep: Path,
    conditions: tuple[str, ...],
    out: Path | None,
    suffix: str,
    projection: "Projection",
) -> None:
    """Draw what SWEEP has to show and print the files.

    Accuracy against graph size, measures and accuracy per token over training, leaf x first-hop
    and path x path distances, embeddings in two and three dimensions, their geometry over
    training and their spectra: each if the sweep has runs of that kind.

    \b
    Examples:
      geomem-analyze figures sweeps/path_star
      geomem-analyze figures sweeps/path_star --where model.kind=mamba --format pdf
    """
    from geomem.analysis.commands.tables import chosen_runs

    need_matplotlib()
    from geomem.analysis.counting import counted
    from geomem.analysis.figures import FIGURES, left_out, save_figures
    from geomem.train.sweep.errors import UsageError

    members = chosen_runs(sweep, conditions).members
    folder = out or sweep / "figures"
    with counted(len(FIGURES), "tried", "figure") as passed:
        written = save_figures(members, folder, suffix, projection, passed)
    if not written:
        why = left_out(members) or "none of these runs is of a kind that has a figure"
        raise UsageError(f"{sweep}: {why}")
    for path in written:
        click.echo(path)
    if note := left_out(members):
        click.echo(note, err=True)


def need_matplotlib() -> None:
    """Raise an error that says how to get it, if it is missing."""
    from geomem.train.sweep.errors import UsageError

    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UsageError("figures need matplotlib: pip install 'geomem[plots]'") from None
