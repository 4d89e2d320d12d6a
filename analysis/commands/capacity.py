"""`geomem-analyze capacity`: how wide a model has to be for its facts."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geomem.analysis.commands.options import form_options
from geomem.analysis.commands.tables import check_form, chosen_runs, measured, with_facts
from geomem.analysis.facts.thresholds import LEVELS, WIDTHS

if TYPE_CHECKING:
    from geomem.analysis.facts.laws import Fit
    from geomem.analysis.facts.thresholds import Threshold


@click.command(name="capacity")
@form_options("one line per threshold and seed", "one object, with thresholds and laws")
@click.option(
    "--memorised",
    type=click.FloatRange(0, 1, min_open=True),
    default=LEVELS["memorised"],
    show_default=True,
    help="Accuracy on the trained facts at which they count as memorised.",
)
@click.option(
    "--generic",
    type=click.FloatRange(0, 1, min_open=True),
    default=LEVELS["generic"],
    show_default=True,
    help="Zero-shot accuracy at which the network counts as a generic selector.",
)
@click.option(
    "--over",
    type=click.Choice(list(WIDTHS)),
    default="width",
    show_default=True,
    help="The width that is meant: of the embeddings, or of the MLP.",
)
def command(
    sweep: Path,
    conditions: tuple[str, ...],
    as_csv: bool,
    as_json: bool,
    over: str,
    memorised: float,
    generic: float,
) -> None:
    """Find the width from which on the runs of SWEEP memorise, and from which on they transfer.

    The first table has one line per kind of threshold and configuration: the median width [lowest–
    highest seed] at which a level is reached, linear between the two widths around it; ≤ and > mean
    that some seed crossed below or above all of its widths. The second has the laws R log N, N R
    and a free power law, fitted to the medians of thresholds that every seed crossed; R² is of the
    logarithm of the width, N^ with the lowest and highest exponent over the seeds.
    CSV has the thresholds of every seed, JSON too, as "thresholds", and the laws, as "laws";
    geomem-analyze figures draws both.

    \b
    Examples:
      geomem-analyze capacity sweeps/facts_thresholds_small
      geomem-analyze capacity sweeps/facts_thresholds_small --memorised 0.95 --json
      geomem-analyze capacity sweeps/facts_frozen_small --over mlp_width
    """
    from geomem.analysis.facts.laws import fits
    from geomem.analysis.facts.summary import transfer
    from geomem.analysis.facts.thresholds import thresholds
    from geomem.train.sweep.errors import UsageError
    from geomem.train.sweep.export import write_csv

    check_form(as_csv, as_json)
    runs = with_facts(chosen_runs(sweep, conditions))
    rows = measured(runs, transfer)
    found = thresholds(rows, {"memorised": memorised, "generic": generic}, over)
    if not found:
        raise UsageError(f"{sweep}: a threshold takes runs that differ in {WIDTHS[over]} alone")
    laws = fits(found)
    records = _records(found)
    if as_csv:
        write_csv(records, sys.stdout)
    elif as_json:
        document = {"thresholds": records, "laws": [fit._asdict() for fit in laws]}
        json.dump(_finite(document), sys.stdout, indent=1, allow_nan=False)
        sys.stdout.write("\n")
    else:
        _print(found, laws)


def _records(found: "Sequence[Threshold]") -> list[dict[str, Any]]:
    """One per threshold and seed."""
    return [
        {"kind": t.kind, "seed": seed, "width": c.width, "bound": c.bound, **t.fields}
        for t in found
        for seed, c in t.crossings.items()
    ]


def _finite(value: Any) -> Any:
    """The same with null for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and value != value else value


def _print(found: "Sequence[Threshold]", laws: "Sequence[Fit]") -> None:
    from geomem.train.sweep.cells import print_cells

    names = _differing([t.fields for t in found])
    lines = [[t.kind, *_cells(t.fields, names), str(len(t.crossings)), _crossed(t)] for t in found]
    keys = ["threshold", *map(_last, names)]
    print_cells([*keys, "seeds", "width"], lines, len(keys), ["threshold"])
    if not laws:
        print("no law: it takes three thresholds that every seed crossed within its widths")
        return
    own = _differing([fit.fields for fit in laws])
    print_cells(
        ["threshold", *map(_last, own), "law", "scale", "R^", "N^", "R²", "points"],
        [
            [fit.kind, *_cells(fit.fields, own), fit.law, f"{fit.scale:.3g}", *_exponents(fit),
             f"{fit.r2:.3f}", str(fit.points)]
            for fit in laws
        ],
        len(own) + 2,
        ["threshold", "law"],
    )  # fmt: skip


def _crossed(threshold: "Threshold") -> str:
    from geomem.train.sweep.table import spread

    crossings = threshold.crossings.values()
    below, above = (any(c.bound == b for c in crossings) for b in (-1, 1))
    sign = ("≤ " if below else "") + ("> " if above else "")
    return sign + spread([c.width for c in crossings])


def _exponents(fit: "Fit") -> tuple[str, str]:
    if fit.law == "R log N":
        return "1", "log"
    if fit.law == "N R":
        return "1", "1"
    return f"{fit.relations:.2f}", f"{fit.subjects:.2f} [{fit.low:.2f}–{fit.high:.2f}]"


def _differing(rows: Sequence[Any]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if len({str(row.get(name)) for row in rows}) > 1]


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _cells(fields: Any, names: Sequence[str]) -> list[str]:
    from geomem.train.sweep.table import shown

    return [shown(fields.get(name)) for name in names]
