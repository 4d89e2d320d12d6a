"""The command line `geomem-analyze`."""

import sys
from pathlib import Path

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="geomem")
def cli() -> None:
    """Look at what the runs of a sweep memorised, and how.

    \b
    Example:
      geomem-analyze figures sweeps/path_star
    """


@cli.command()
@click.argument("sweep", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default: SWEEP/figures.")
@click.option("--format", "suffix", type=click.Choice(["png", "svg", "pdf"]), default="png")
def figures(sweep: Path, out: Path | None, suffix: str) -> None:
    """Draw what a sweep has to show and print the files.

    Accuracy against graph size, leaf x first-hop distances and the embeddings of tiny graphs,
    each if the sweep has runs of that kind.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise click.ClickException("figures need matplotlib: pip install 'geomem[plots]'") from None
    from geomem.analysis.figures import save_figures
    from geomem.analysis.sweeps import open_sweep

    members = open_sweep(sweep).members
    if not members:
        raise click.ClickException(f"{sweep}: no packs yet; train with geomem-train sweep first")
    written = save_figures(members, out or sweep / "figures", suffix)
    if not written:
        raise click.ClickException(f"{sweep}: none of its runs is of a kind that has a figure")
    for path in written:
        click.echo(path)


def main() -> None:
    """Run the command line; what the user can act on ends with its exit code and no traceback."""
    from geomem.train.errors import GeomemError

    try:
        cli()
    except GeomemError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
