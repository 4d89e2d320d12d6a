"""Results on the terminal: one line per configuration, seeds taken together."""

import os
import re
import statistics
from collections.abc import Callable, Mapping, Sequence

from geomem.train.sweep.cells import print_cells
from geomem.train.sweep.results import DIGESTS, PLACES, Row, Value, in_order, telling
from geomem.train.sweep.state import STATUSES

HEADLINES = (
    *("exact_match", "first_hop", "edge_recovery", "edge_loss"),
    *("accuracy", "held_out_accuracy", "step_accuracy", "loss"),
)
DIGITS = 8
"""Of a digest, that a table shows where they tell its values apart."""
_POSITION = re.compile(r"\.\d+$")


def spread(values: Sequence[float]) -> str:
    """Median [lowest–highest], or one number where they are the same to three figures."""
    if not values:
        return "–"
    low, middle, high = (f"{f(values):.3g}" for f in (min, statistics.median, max))
    return middle if low == high else f"{middle} [{low}–{high}]"


def print_table(
    rows: Sequence[Row],
    headlines: Sequence[str] = HEADLINES,
    show: Callable[[Sequence[float]], str] = spread,
) -> None:
    """Print one line per configuration: fields that vary, number of runs, and measures.

    Measures are what `show` makes of the runs that are done: the headlines, if the runs have any
    of them, else all.
    """
    fields = telling(rows)
    measured = in_order(without_positions(row.metrics) for row in rows)
    metrics = [name for name in headlines if name in measured] or measured
    statuses = [s for s in STATUSES if s == "done" or any(row.status == s for row in rows)]
    lines = []
    groups = by_configuration(rows, fields)
    columns = [_column(name, [key[at] for key in groups]) for at, name in enumerate(fields)]
    for at, members in enumerate(groups.values()):
        cells = [column[at] for column in columns]
        counts = [sum(row.status == s for row in members) for s in statuses]
        done = [without_positions(row.metrics) for row in members if row.status == "done"]
        spreads = [show([m[name] for m in done if name in m]) for name in metrics]
        lines.append([*cells, str(len(members)), *map(str, counts), *spreads])
    names = [short(name, fields) for name in fields]
    numeric = [
        all(isinstance(row.fields.get(name), int | float | None) for row in rows) for name in fields
    ]
    texts = [name for name, number in zip(names, numeric, strict=True) if not number]
    print_cells([*names, "runs", *statuses, *metrics], lines, len(names), texts)


def by_configuration(
    rows: Sequence[Row], fields: Sequence[str]
) -> dict[tuple[Value, ...], list[Row]]:
    """The rows by their values of the fields, in the order of their first appearance."""
    groups: dict[tuple[Value, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.fields.get(name) for name in fields), []).append(row)
    return groups


def short(name: str, fields: Sequence[str]) -> str:
    """A field's name without its section, where no other section has the same."""
    last = name.rpartition(".")[2]
    unique = [n for n in fields if n.rpartition(".")[2] == last] == [name]
    return last if unique else name


def _column(name: str, values: Sequence[Value]) -> list[str]:
    """A field's values as a table has them: digests and places of files no longer than needed."""
    texts = [value for value in values if isinstance(value, str)]
    if name in PLACES and texts and all(map(os.path.isabs, texts)):
        folder = os.path.commonpath([os.path.dirname(text) for text in texts])
        return [os.path.relpath(v, folder) if isinstance(v, str) else shown(v) for v in values]
    if name in DIGESTS:
        brief = len({text[:DIGITS] for text in texts}) == len(set(texts))
        return [v[: DIGITS if brief else None] if isinstance(v, str) else shown(v) for v in values]
    return [shown(value) for value in values]


def shown(value: Value) -> str:
    """A field's value as a table has it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        brief = f"{value:.6g}"
        return brief if float(brief) == value else str(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def without_positions(metrics: Mapping[str, float]) -> dict[str, float]:
    """The measures of a run, those per position replaced by their mean."""
    gathered: dict[str, list[float]] = {}
    for name, value in metrics.items():
        gathered.setdefault(_POSITION.sub("", name), []).append(value)
    return {name: statistics.fmean(values) for name, values in gathered.items()}
