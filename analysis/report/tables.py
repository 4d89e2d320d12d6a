"""The measures of runs as tables: one line per configuration, and one row per run."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from geomem.analysis.arrays import Floats
from geomem.analysis.batches import Batch, measure
from geomem.analysis.report.limits import Limits
from geomem.analysis.summaries import geometry
from geomem.analysis.sweeps import Member
from geomem.train.sweep.results import Row, as_records, final_metrics, telling
from geomem.train.sweep.table import (
    HEADLINES,
    by_configuration,
    short,
    shown,
    spread,
    without_positions,
)

GEOMETRY = ("level", "spearman", "auc", "top1")
EXACT = 2**53 - 1  # beyond it JavaScript's numbers, which JSON becomes there, skip integers
EXPLAINED = {
    "exact_match": "Share of held-out leaves whose whole path is right",
    "first_hop": "Share of held-out leaves whose first hop is right",
    "edge_recovery": "Share of nodes whose neighbours all score highest",
    "edge_loss": "Loss on edges in nats",
    "accuracy": "Share of trained queries of facts whose whole answer is right",
    "held_out_accuracy": "Share of held-out queries of facts whose whole answer is right",
    "step_accuracy": "Share of right answers of the hops of trained queries, each after right ones",
    "loss": "Training loss in nats",
    "level": "Mean cosine similarity of the two ends of an edge",
    "spearman": "Rank correlation of cosine distance with hop distance",
    "auc": "Share of other arms whose first hop lies further from a leaf than its own arm's",
    "top1": "Share of leaves whose nearest first hop is that of their own arm",
}


def measured_rows(members: Sequence[Member]) -> list[Row]:
    """One row per run, with the last of its headlines and the geometry of its embedding."""
    return measure(members, _measures)


def _measures(batch: Batch) -> dict[str, Floats]:
    finals = final_metrics(batch.pack)
    rows = [without_positions(finals[at]) for at in batch.places]
    return {
        name: np.array([row.get(name, np.nan) for row in rows]) for name in HEADLINES
    } | geometry(batch)


def configurations(rows: Sequence[Row], limits: Limits) -> str:
    """An HTML table: fields that vary, and median [lowest–highest] over the runs that are done."""
    fields = telling(rows)
    groups = by_configuration(rows, fields)
    names = _headlines(rows)
    head = [_head(short(name, fields), name) for name in fields]
    head += [_head("runs", ""), *(_head(name, EXPLAINED[name]) for name in names)]
    lines = [_line(key, group, names) for key, group in list(groups.items())[: limits.lines]]
    note = f"<p>The first {limits.lines} of {len(groups):,} configurations; all runs are below.</p>"
    caption = "Configurations: median [lowest–highest] over the runs that are done"
    return (
        f'<div class="wide"><table><caption>{caption}</caption><thead><tr>{"".join(head)}</tr>'
        f"</thead><tbody>{''.join(lines)}</tbody></table></div>"
        + (note if len(groups) > limits.lines else "")
    )


def _line(key: tuple[Any, ...], group: Sequence[Row], names: Sequence[str]) -> str:
    done = [row.metrics for row in group if row.status == "done"]
    spreads = [spread([metrics[name] for metrics in done if name in metrics]) for name in names]
    cells = [f"<td>{escape(shown(value))}</td>" for value in key]
    runs = str(len(group)) if len(done) == len(group) else f"{len(group)}, {len(done)} done"
    cells += [f"<td>{text}</td>" for text in (runs, *spreads)]
    return f"<tr>{''.join(cells)}</tr>"


def _head(text: str, explained: str) -> str:
    broken = escape(text).replace("_", "_<wbr>")
    return f'<th scope="col" title="{escape(explained)}">{broken}</th>'


def run_table(rows: Sequence[Row], limits: Limits) -> dict[str, Any]:
    """Columns and rows of the searchable table: what tells configurations apart, and headlines."""
    records = as_records(rows[: limits.rows])
    fields = telling(rows)
    measures = _headlines(rows)
    names = [*fields, "seed", "status", *measures, "run"]
    return {
        "columns": [short(name, fields) for name in names],
        "rows": [
            [_cell(record[name], exact=name not in measures) for name in names]
            for record in records
        ],
        "left_out": max(0, len(rows) - limits.rows),
    }


def _headlines(rows: Sequence[Row]) -> list[str]:
    """What `geomem-train results` shows, and geometry: of each what some run has."""
    names = (*HEADLINES, *GEOMETRY)
    return [name for name in names if any(name in row.metrics for row in rows)]


def _cell(value: Any, exact: bool) -> Any:
    """A value as JSON: text where a number of JavaScript would be another one."""
    if isinstance(value, int) and abs(value) > EXACT:
        return str(value)
    return value if exact or not isinstance(value, float) else float(f"{value:.4g}")
