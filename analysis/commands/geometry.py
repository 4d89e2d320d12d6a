"""`geomem-analyze geometry`: how the embeddings of a sweep's runs lie."""

from pathlib import Path

import click

from geomem.analysis.commands.options import history_option, table_options
from geomem.analysis.commands.tables import (
    check_form,
    chosen_runs,
    measured,
    print_rows,
    with_graph,
)


@click.command(name="geometry")
@table_options
@history_option
def command(
    sweep: Path, conditions: tuple[str, ...], as_csv: bool, as_json: bool, history: bool
) -> None:
    """Measure how the embeddings of the runs of SWEEP lie.

    The table has one line per configuration: median [lowest–highest] over the seeds that are done.
    CSV and JSON have every run, with more measures and with those of each node set.
    Runs without a graph of their own (facts, in_context) are left out.

    \b
    level         mean cosine of the ends of an edge; mean_cosine: of all pairs of nodes
    spearman      rank correlation of cosine distance with hop distance
    spearman_far  the same of nodes two and more hops apart, which no edge example joins;
                  both over all pairs up to 2 048 nodes, above from some nodes to all of them,
                  the same ones in every run (104 of 20 000, which is good to 0.02)
    top1 mrr auc  leaf to first hop of its own arm: nearest, mean reciprocal rank, share of other
                  arms further away; held-out arms, or all of them where no paths were trained

    \b
    Examples:
      geomem-analyze geometry sweeps/tiny_graphs
      geomem-analyze geometry sweeps/path_star --where model.kind=mamba --csv
    """
    from geomem.analysis import summaries

    check_form(as_csv, as_json, history)
    runs = with_graph(chosen_runs(sweep, conditions))
    rows = measured(runs, summaries.geometry, history)
    print_rows(rows, as_csv, as_json, summaries.GEOMETRY)
