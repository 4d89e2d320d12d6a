"""`geomem-train plan`: what a grid file would run. Imports no torch."""

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import click

from geomem.train.commands.options import set_option, tuning_option, with_tuning
from geomem.train.config import GridFile, load_grid
from geomem.train.config.execution import Execution
from geomem.train.paths import PATH
from geomem.train.sweep.cells import print_cells, print_text
from geomem.train.sweep.errors import UsageError
from geomem.train.sweep.outlook import Outlook, look_ahead
from geomem.train.sweep.overview import Row, Words, common_words, overview
from geomem.train.sweep.plan import Stack, plan_stacks
from geomem.train.sweep.sharing import Candidate, share_sizes
from geomem.train.sweep.sizing import Sizing
from geomem.train.sweep.slots import Slots, resolve_slots
from geomem.train.sweep.words import plural, size

_LAST = "size from"


@click.command(name="plan")
@click.argument("grid", type=PATH)
@set_option
@tuning_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON with every stack and run id.")
def command(grid: Path, sets: tuple[str, ...], tuning: Path | None, as_json: bool) -> None:
    """Show what GRID would run, and in which stacks, without training.

    GRID is a file, or the name of a grid that comes with geomem, such as tiny_graphs.

    A line stands for runs of the same shape: `3 x 64` are three stacks of 64 runs that are
    trained together. `parameters` are those of one run, `memory` is an estimate for one stack.
    `size from` tells what bounds a stack: the device's memory, a tuning file, or execution.stack
    of the grid; more stacks than that are made where workers would idle at the end. Stacks with
    the same number under `shared` differ in the size of their graphs and are trained as one, which
    is estimated faster; each leaves its own pack.

    \b
    Examples:
      geomem-train plan grid.yaml
      geomem-train plan grid.yaml --set seeds=0-99 --set execution.stack=64
      geomem-train plan grid.yaml --json | jq '.stacks[].runs | length'
    """
    loaded = load_grid(grid, sets)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    execution = with_tuning(loaded.execution, tuning)
    outlook = look_ahead(execution, loaded.runs, _slots(execution))
    for note in outlook.notes:
        click.echo(note, err=True)
    stacks = plan_stacks(loaded.runs, outlook.sizing, outlook.slots.count)
    shared = _shared(stacks, execution, outlook)
    if as_json:
        click.echo(json.dumps(_as_json(loaded, stacks, outlook, shared)))
    else:
        _show(loaded, stacks, outlook, shared)


def _shared(stacks: Sequence[Stack], execution: Execution, outlook: Outlook) -> list[int | None]:
    """For each stack the number, from 1, of those it is trained with, if any."""
    candidates = [
        Candidate(stack.runs[0], len(stack.runs), max(run.train.steps for run in stack.runs))
        for stack in stacks
    ]
    found: list[int | None] = [None] * len(stacks)
    jobs = share_sizes(candidates, execution, outlook.sizing, outlook.slots)
    for number, job in enumerate((job for job in jobs if len(job) > 1), 1):
        for place in job:
            found[place] = number
    return found


def _slots(execution: Execution) -> Slots:
    try:
        return resolve_slots(execution)
    except UsageError as error:  # a plan may be made where there is no GPU
        click.echo(f"warning: {error}", err=True)
        wanted = execution.workers
        return Slots("cuda", 1 if wanted == "auto" else wanted, 1)


def _show(
    loaded: GridFile, stacks: Sequence[Stack], outlook: Outlook, shared: Sequence[int | None]
) -> None:
    workers = f"{plural(outlook.slots.count, 'worker')} on {outlook.slots.device}"
    total = f"{plural(len(loaded.runs), 'run')} in {plural(len(stacks), 'stack')} for {workers}"
    print_text(f"{loaded.name}: {total}")
    rows = overview(stacks)
    common = common_words(rows)
    for name, words in common.items():
        if words:
            print_text(f"  every {name}: {' '.join(words)}")
    _print_rows(rows, common, shared, outlook.sizing)


def _print_rows(
    rows: Sequence[Row], common: dict[str, Words], shared: Sequence[int | None], sizing: Sizing
) -> None:
    is_shared = any(shared)
    figures = ("runs", "stacks", *["shared"] * is_shared, "parameters", "memory")
    numbers = iter(shared)
    lines = []
    for row in rows:
        labels = [
            " ".join([words[0], *(word for word in words[1:] if word not in common[name])])
            for name, words in row.words.items()
        ]
        runs, stacks, *rest = _numbers(row)
        own = dict.fromkeys(islice(numbers, len(row.members)))
        together = [" ".join(str(number) for number in own if number)] * is_shared
        lines.append([*labels, runs, stacks, *together, *rest, sizing.source(row.key)])
    print_cells([*common, *figures, _LAST], lines, len(common), {*common, _LAST})


def _numbers(row: Row) -> tuple[str, ...]:
    low, high = min(row.members), max(row.members)
    members = str(low) if low == high else f"{low}-{high}"
    stacks = f"{len(row.members):,} x {members}"
    return f"{row.runs:,}", stacks, f"{row.parameters:,}", size(row.memory)


def _as_json(
    loaded: GridFile, stacks: Sequence[Stack], outlook: Outlook, shared: Sequence[int | None]
) -> dict[str, object]:
    rows = [(row, members) for row in overview(stacks) for members in row.members]
    return {
        "name": loaded.name,
        "runs": len(loaded.runs),
        "workers": outlook.slots.count,
        "threads": outlook.slots.threads,
        "device": outlook.slots.device,
        "warnings": loaded.warnings,
        "stacks": [
            {
                "id": stack.id,
                **{name: " ".join(words) for name, words in row.words.items()},
                "members": members,
                "size_from": outlook.sizing.source(row.key),
                "shared": number,
                "parameters": row.parameters,
                "memory": row.memory,
                "runs": stack.run_ids,
            }
            for stack, (row, members), number in zip(stacks, rows, shared, strict=True)
        ],
    }
