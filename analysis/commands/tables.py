"""What the commands that print a table have in common: which runs, and in which form."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from geomem.analysis.batches import Batch, Measures
    from geomem.analysis.sweeps import Sweep
    from geomem.train.sweep.results import Row


def check_form(as_csv: bool, as_json: bool, history: bool = False) -> None:
    """Raise click's UsageError if the options of a table contradict each other."""
    if as_csv and as_json:
        raise click.UsageError("give one of --csv and --json")
    if history and not (as_csv or as_json):
        raise click.UsageError("--history needs --csv or --json")


def chosen_runs(sweep: Path, conditions: Sequence[str]) -> "Sweep":
    """The runs that are meant. Raises UsageError if there are none."""
    from geomem.analysis.sweeps import open_sweep

    return _chosen(open_sweep(sweep), conditions)


def chosen_of_all(sweeps: Sequence[Path], conditions: Sequence[str]) -> "Sweep":
    """The runs that are meant of several sweeps, each once. Raises UsageError if there are none."""
    from geomem.analysis.sweeps import open_sweeps

    return _chosen(open_sweeps(sweeps), conditions)


def _chosen(found: "Sweep", conditions: Sequence[str]) -> "Sweep":
    from geomem.train.sweep.where import select_some

    members = select_some(found.path, conditions, found.members, lambda member: member.row)
    return replace(found, members=members)


def with_facts(sweep: "Sweep") -> "Sweep":
    """The runs that learned facts. Raises UsageError if there are none."""
    return _with_tensor(sweep, "answers", "learned facts, as task.kind: facts has")


def with_graph(sweep: "Sweep") -> "Sweep":
    """The runs that learned one graph, which measures need. Raises UsageError if there are none."""
    return _with_tensor(
        sweep,
        "edges",
        "has a graph to hold its embeddings against, as task.kind: in_weights has",
    )


def _with_tensor(sweep: "Sweep", name: str, does: str) -> "Sweep":
    from geomem.train.sweep.errors import UsageError

    members = [member for member in sweep.members if member.has(name)]
    if not members:
        raise UsageError(f"{sweep.path}: none of these runs {does}")
    return replace(sweep, members=members)


def measured(
    sweep: "Sweep", compute: "Callable[[Batch], Measures]", history: bool = False
) -> "list[Row]":
    """`batches.measure` of the runs, which are counted on stderr where that takes longer."""
    from geomem.analysis.batches import measure
    from geomem.analysis.counting import counted

    with counted(len(sweep)) as passed:
        return measure(sweep.members, compute, history, passed)


def print_rows(
    rows: "Sequence[Row]",
    as_csv: bool,
    as_json: bool,
    headlines: Sequence[str],
    **table: Any,
) -> None:
    """Print one row per run as CSV or JSON, or a table with one line per configuration."""
    from geomem.train.sweep.errors import UsageError
    from geomem.train.sweep.export import write_csv, write_json
    from geomem.train.sweep.results import as_records
    from geomem.train.sweep.table import print_table

    if not rows:
        raise UsageError("these runs keep no history; train with train.history_every set")
    if as_csv:
        write_csv(as_records(rows), sys.stdout)
    elif as_json:
        write_json(as_records(rows), sys.stdout)
    else:
        print_table(rows, headlines, **table)
