"""`geomem-analyze spectrum`: spectra and memory type of a sweep's runs."""

from functools import partial
from pathlib import Path

import click

from geomem.analysis.commands.options import history_option, table_options
from geomem.analysis.commands.tables import check_form, chosen_runs, print_rows, with_graph


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
    alignment          mean cos^2 of the angles to that eigenspace; of chance: about its share of n
    margin             best neighbour less best other node, in the model's scores E W E'
    margin_skewed      the same of W's part along E's own axes; margin_geometric: of E E'

    Margins with W need runs that were trained with --set execution.parameters=true, and a model
    with no more than one map.

    \b
    Examples:
      geomem-analyze spectrum sweeps/tiny_graphs
      geomem-analyze spectrum sweeps/tiny_graphs --history --csv > spectrum.csv
    """
    from geomem.analysis import summaries
    from geomem.analysis.batches import measure

    check_form(as_csv, as_json, history)
    runs = with_graph(chosen_runs(sweep, conditions))
    rows = measure(runs.members, partial(summaries.spectrum, cells=cells), history)
    print_rows(rows, as_csv, as_json, summaries.SPECTRUM)
