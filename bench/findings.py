"""Which findings sweeps reproduce, as JSON with where and by what they were found.

python -m geomem.bench.findings --trained COMMIT SWEEP... > bench/results/NAME.json
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from geomem.analysis.findings import FINDINGS, MIN_SEEDS, judge
from geomem.analysis.findings.table import as_record
from geomem.analysis.sweeps import Sweep, open_sweeps
from geomem.bench.machine import environment
from geomem.train.paths import PATH


def trained_by(sweep: Sweep) -> list[dict[str, Any]]:
    """On what devices and by which versions the runs were trained, each combination once."""
    found = {}
    for member in sweep:
        about = member.pack.metadata
        by = {"geomem": about["geomem"], "device": about["device"], **about["versions"]}
        found[json.dumps(by, sort_keys=True)] = by
    return list(found.values())


def record(paths: Sequence[Path], commit: str | None) -> dict[str, Any]:
    """What the runs of the sweeps come to, finding by finding; commit: of what trained them."""
    sweep = open_sweeps(paths)
    return {
        "sweeps": [path.resolve().name for path in paths],
        "runs": len(sweep),
        "trained_at": commit,
        "trained_by": trained_by(sweep),
        "environment": environment("cpu"),
        "seeds_needed": MIN_SEEDS,
        "findings": [as_record(judge(finding, sweep.members)) for finding in FINDINGS],
    }


@click.command()
@click.argument("sweeps", nargs=-1, required=True, type=PATH)
@click.option("--trained", metavar="COMMIT", help="What trained the sweeps.")
def main(sweeps: tuple[Path, ...], trained: str | None) -> None:
    """Print the record of SWEEPS."""
    click.echo(json.dumps(record(sweeps, trained), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
