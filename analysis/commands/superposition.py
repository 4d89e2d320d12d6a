"""`geomem-analyze superposition`: whether subjects are sums of their attributes."""

from pathlib import Path

import click

from geomem.analysis.commands.options import table_options
from geomem.analysis.commands.tables import (
    check_form,
    chosen_runs,
    measured,
    print_rows,
    with_facts,
)


@click.command(name="superposition")
@table_options
def command(sweep: Path, conditions: tuple[str, ...], as_csv: bool, as_json: bool) -> None:
    """Measure how the runs of SWEEP store facts, each measure with its controls.

    Three tables have one line per configuration: median [lowest–highest] over the seeds that are
    done. CSV and JSON have every run. Only models of kind recall have what needs the network; J is
    its mean Jacobian by the subject, T the inverse of all J. Fits are scored on held-out subjects.

    \b
    superposition_r2   of the subjects by one multiple of the sum of their attributes through J'
    ridge_r2           of the subjects by all their attributes, fitted
    jacobian_probe     facts read off the subject by J: no fit, no label
    probe              facts read off the subject by a fitted map
    exchange_target    one relation's component from another subject: answers that follow it,
    exchange_others    and answers to the other relations that stay
    zero_shot          facts never trained, by subjects set through T; zero_shot_ridge: fitted maps

    \b
    *_permuted         the same with other bijections; probe_seen: scored where it was fitted
    zero_shot_old      with the old subjects; _wrong, _ridge_wrong: with another relation's maps
    zero_shot_untrained  the same with a network that is not trained, at its best scale

    \b
    gates_open         share of neurons that fire
    gates_fixed        share of pairs (relation, neuron) that the relation alone decides
    gates_select       share of neurons that one relation opens and another shuts for all subjects
    gates_overlap      mean cosine of the firing rates of two relations

    \b
    Examples:
      geomem-analyze superposition sweeps/facts_structure_small
      geomem-analyze superposition sweeps/facts_two_regimes_small --where width>=32 --csv
    """
    from geomem.analysis.facts import summary

    check_form(as_csv, as_json)
    runs = with_facts(chosen_runs(sweep, conditions))
    rows = measured(runs, summary.structure)
    if as_csv or as_json:
        print_rows(rows, as_csv, as_json, summary.MEASURES)
        return
    for headlines in (summary.MEASURES, summary.CONTROLS, summary.GATES):
        known = tuple(name for name in headlines if any(name in row.metrics for row in rows))
        if known:
            print_rows(rows, as_csv, as_json, known)
