"""`geomem-analyze figures`: pictures of what a sweep has to show."""

from pathlib import Path

import click


@click.command(name="figures", short_help="Draw what a sweep has to show.")
@click.argument("sweep", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default: SWEEP/figures.")
@click.option("--format", "suffix", type=click.Choice(["png", "svg", "pdf"]), default="png")
def command(sweep: Path, out: Path | None, suffix: str) -> None:
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
