"""`geomem-analyze report`: a sweep as one HTML file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from geomem.analysis.commands.options import projection_option, sweep_options
from geomem.train.paths import FILE

if TYPE_CHECKING:
    from geomem.analysis.figures.projection import Projection


@click.command(name="report")
@sweep_options
@click.option("--out", type=FILE, help="Default: SWEEP/report.html.")
@projection_option("the figure of embeddings in space")
@click.option("--max-runs", type=click.IntRange(1), default=60, show_default=True)
@click.option("--max-nodes", type=click.IntRange(4), default=25_000, show_default=True)
def command(
    sweep: Path,
    conditions: tuple[str, ...],
    out: Path | None,
    projection: "Projection",
    max_runs: int,
    max_nodes: int,
) -> None:
    """Write a page with the tables and figures of SWEEP, and print its name.

    It also holds the embeddings of up to --max-runs runs with --max-nodes nodes each, to be turned
    with the mouse, coloured by node set, and played through the steps that train.history_every
    kept. The file needs no network and no other file.

    \b
    Examples:
      geomem-analyze report sweeps/path_star
      geomem-analyze report sweeps/path_star --where model.kind=mamba --out mamba.html
    """
    from geomem.analysis.commands.figures import need_matplotlib
    from geomem.analysis.commands.tables import chosen_runs

    need_matplotlib()
    from geomem.analysis.counting import counted
    from geomem.analysis.report import PARTS, Limits, write_report

    runs = chosen_runs(sweep, conditions)
    limits = Limits(runs=max_runs, nodes=max_nodes)
    path = out or sweep / "report.html"
    with counted(PARTS, "made", "part") as passed:
        write_report(runs, path, conditions, limits, projection, passed)
    click.echo(path)
