"""`geomem-train export`: embeddings of runs as files for other programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from geomem.train.paths import FOLDER, PATH

if TYPE_CHECKING:
    from geomem.train.sweep.bundles import Chosen


@click.command(name="export")
@click.argument("directory", metavar="SWEEP", type=PATH)
@click.option(
    "--where",
    "conditions",
    metavar="FIELD=VALUE",
    multiple=True,
    help="Only runs that meet it, such as model.kind=mamba or status=done; may be repeated.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["safetensors", "npz", "tsv"]),
    default="safetensors",
    show_default=True,
    help="tsv is for TensorBoard's projector.",
)
@click.option("--out", metavar="DIR", type=FOLDER, help="Default: SWEEP/export.")
@click.option(
    "--together/--per-run", help="One file of all runs, or one for each.  [default: per-run]"
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
def command(
    directory: Path,
    conditions: tuple[str, ...],
    kind: str,
    out: Path | None,
    together: bool,
    force: bool,
) -> None:
    """Save the embeddings of the runs of SWEEP that have results, and print the files.

    Each file holds the embedding [nodes, width] in canonical node order, the graph and its node
    sets, and who it is of: run id, seed, status and whole configuration, as JSON under the key
    "geomem". In one file of all runs each name starts with the run's id. For tsv, vectors.tsv and
    metadata.tsv (nodes, their sets, runs) stand in a folder.

    \b
    Examples:
      geomem-train export sweeps/tiny_graphs --where model.kind=mamba
      geomem-train export sweeps/tiny_graphs --where seed=0 --format npz --together
      geomem-train export sweeps/tiny_graphs --where graph.kind=grid --format tsv --together
    """
    from geomem.train.packs import make_folder
    from geomem.train.sweep.bundles import SUFFIXES, bundles, choose, write_bundle

    folder = out or directory / "export"
    runs = choose(directory, conditions)
    files = list(bundles(runs, folder, SUFFIXES.get(kind, ""), together))
    targets = [target for path, _ in files for target in _targets(path, kind)]
    _refuse_to_replace(targets, force)
    make_folder(folder)
    for path, of in files:
        if kind == "tsv":
            _write_projector(path, of)
        else:
            write_bundle(path, of, together)
        for target in _targets(path, kind):
            click.echo(target)


def _targets(path: Path, kind: str) -> list[Path]:
    from geomem.train.sweep.projector import METADATA, VECTORS

    return [path / VECTORS, path / METADATA] if kind == "tsv" else [path]


def _refuse_to_replace(targets: Sequence[Path], force: bool) -> None:
    from geomem.train.sweep.errors import UsageError

    there = [path for path in targets if path.exists()]
    if there and not force:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise UsageError(f"{there[0]}{more} would be replaced; use --force or another --out")


def _write_projector(folder: Path, runs: "Sequence[Chosen]") -> None:
    from geomem.train.sweep.projector import SHOWN, write_projector

    lines = write_projector(folder, runs)
    if lines > SHOWN:
        text = f"warning: {folder}: {lines:,} points, of which the projector loads {SHOWN:,}"
        click.echo(text, err=True)
