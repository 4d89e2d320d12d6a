"""`geomem-analyze spectrum`: spectra and memory type of a sweep's runs."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from geomem.analysis.commands.options import history_option, table_options
from geomem.analysis.commands.tables import (
    check_form,
    chosen_runs,
    measured,
    print_rows,
    with_graph,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geomem.analysis.sweeps import Member
    from geomem.train.sweep.results import Row


@click.command(name="spectrum")
@table_options
@history_option
@click.option(
    "--cells",
    type=click.IntRange(min=2),
    default=16,
    show_default=True,
    help="Cells per dimension that an embedding is stored in, for its bits.",
)
def command(
    sweep: Path,
    conditions: tuple[str, ...],
    as_csv: bool,
    as_json: bool,
    history: bool,
    cells: int,
) -> None:
    """Compare the embeddings of the runs of SWEEP with the graph's spectrum and its edges.

    The table has one line per configuration: median [lowest–highest] over the seeds that are done.
    CSV and JSON have every run, with more measures.
    Runs without a graph of their own (facts, in_context) are left out.

    \b
    effective_rank     exp of the entropy of the singular values
    negative_share     energy on negative eigenvalues of (W+W')/2, W = D^-1 A: the "zigzag"
    energy_fiedler     energy on the Fiedler-like eigenspace
                       (CSV: energy_trivial, on one vector per component; energy_constant)
    alignment          mean cos^2 of the angles to that eigenspace, after the trivial eigenvector of
                       each component is taken out; of chance: about its share of n (largest_angle:
                       the last of them; neither where no more is left of n, or of the embedding)
    margin             best neighbour less best other node, in the model's scores E W U' (U = E
                       where tied)
    margin_skewed      the same of W's part along E's own axes, where tied
    margin_geometric   the same of E E'

    Of graphs above 1 500 nodes that are no path-stars, energy_fiedler, alignment and largest_angle
    are left out where the eigenspace is too large; a line on stderr names them. So it does graphs
    in which a node has no edge to another: they have no such spectrum.

    Margins with W need runs that were trained with --set execution.parameters=true, and a model
    with no more than one map.

    \b
    Examples:
      geomem-analyze spectrum sweeps/tiny_graphs
      geomem-analyze spectrum sweeps/tiny_graphs --history --csv > spectrum.csv
    """
    from geomem.analysis import summaries

    check_form(as_csv, as_json, history)
    runs = with_graph(chosen_runs(sweep, conditions))
    rows = measured(runs, partial(summaries.spectrum, cells=cells), history)
    if lacking := _without_fiedler(runs.members, rows):
        measures = ", ".join(summaries.FIEDLER)
        reason = "that eigenspace is too large to be computed above 1 500 nodes"
        click.echo(f"without {measures}, as {reason}: {'; '.join(lacking)}", err=True)
    if lacking := _graphs(runs.members, rows, "effective_rank", "projection.1"):
        reason = "a node of the graph has no edge to another"
        click.echo(f"without energies and alignment, as {reason}: {'; '.join(lacking)}", err=True)
    print_rows(rows, as_csv, as_json, summaries.SPECTRUM)


def _without_fiedler(members: "Sequence[Member]", rows: "Sequence[Row]") -> list[str]:
    """The graphs of which only that eigenspace was not measured."""
    return _graphs(members, rows, "negative_share", "energy_fiedler")


def _graphs(
    members: "Sequence[Member]", rows: "Sequence[Row]", measured: str, lacking: str
) -> list[str]:
    """The graphs of runs that have the one measure and not the other."""
    from geomem.analysis.figures.names import graph_name

    runs = {row.run for row in rows if measured in row.metrics and lacking not in row.metrics}
    return sorted({graph_name(m) for m in members if m.row["run"] in runs})
