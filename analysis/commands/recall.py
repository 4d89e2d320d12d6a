"""`geomem-analyze recall`: what a sweep's runs recall, with intervals over seeds."""

import math
from collections.abc import Sequence
from pathlib import Path

import click

from geomem.analysis.commands.options import table_options
from geomem.analysis.commands.tables import check_form, chosen_runs, measured, print_rows


@click.command(name="recall")
@table_options
def command(sweep: Path, conditions: tuple[str, ...], as_csv: bool, as_json: bool) -> None:
    """Measure what the runs of SWEEP recall, with 95 % intervals over seeds.

    The table has one line per configuration: median [lowest–highest] over the seeds that are done
    and, in parentheses, the interval of their mean (percentile bootstrap of 2 000 draws of seeds,
    fixed; too narrow for fewer than about eight seeds). CSV and JSON have every run, without
    intervals.

    \b
    exact_match, first_hop, edge_recovery   as the run measured them, on held-out paths and edges
    recovery_dot, recovery_cosine           share of nodes whose deg(u) highest-scoring other nodes
                                            are their neighbours, from the embeddings alone; of
                                            edge_recovery all tokens are rivals, the node included
                                            (not in Node2Vec)
    recovery_map                            the same from the scores of a model of one map and no
                                            more, or of Node2Vec with two tables
    exact_match_peak, ..._peak_step         highest value on the way, and when; CSV and JSON

    \b
    Examples:
      geomem-analyze recall sweeps/path_star
      geomem-analyze recall sweeps/path_star --where arms=256 --json
    """
    from geomem.analysis import summaries

    check_form(as_csv, as_json)
    runs = chosen_runs(sweep, conditions)
    rows = measured(runs, summaries.recall)
    print_rows(rows, as_csv, as_json, summaries.RECALL, show=_with_interval)


def _with_interval(values: Sequence[float]) -> str:
    from geomem.analysis.recall import bootstrap
    from geomem.train.sweep.table import spread

    text, interval = spread(values), bootstrap(values)
    if math.isnan(interval.low) or interval.low == interval.high:
        return text
    return f"{text} ({interval.low:.3g}–{interval.high:.3g})"
