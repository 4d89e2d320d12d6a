"""Which findings sweeps reproduce, as JSON with where and by what they were found.

python -m geomem.bench.findings SWEEP... > bench/results/NAME.json
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geomem.analysis.findings import FINDINGS, MIN_SEEDS, judge
from geomem.analysis.findings.table import as_record
from geomem.analysis.sweeps import Sweep, open_sweeps
from geomem.bench.machine import environment


def trained_by(sweep: Sweep) -> list[dict[str, Any]]:
    """On what devices and by which versions the runs were trained, each combination once."""
    found = {}
    for member in sweep:
        about = member.pack.metadata
        by = {"geomem": about["geomem"], "device": about["device"], **about["versions"]}
        found[json.dumps(by, sort_keys=True)] = by
    return list(found.values())


def record(paths: Sequence[Path]) -> dict[str, Any]:
    """What the runs of the sweeps come to, finding by finding."""
    sweep = open_sweeps(paths)
    return {
        "sweeps": [path.resolve().name for path in paths],
        "runs": len(sweep),
        "trained_by": trained_by(sweep),
        "environment": environment("cpu"),
        "seeds_needed": MIN_SEEDS,
        "findings": [as_record(judge(finding, sweep.members)) for finding in FINDINGS],
    }


def main() -> None:
    """Print the record of the sweeps named on the command line."""
    found = record([Path(argument) for argument in sys.argv[1:]])
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
