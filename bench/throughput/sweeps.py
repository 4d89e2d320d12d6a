"""A whole sweep, from a cold start of the command to the last committed pack."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from geomem.analysis import open_sweep
from geomem.bench.throughput.means import NEEDS_CUDA, Means
from geomem.bench.throughput.points import SweepPoint
from geomem.bench.throughput.record import Row

COMMAND = (sys.executable, "-P", "-m", "geomem.train.cli")
METRIC = "exact_match"


def sweep_point(name: str, point: SweepPoint, means: Means) -> list[Row]:
    """Return a row for the sweep, and one per number of arms with what was learned."""
    if means.device != "cuda" and not means.smoke:
        return [Row(name, "all", "point", NEEDS_CUDA)]
    means.say(f"{name}: {point.about}")
    with tempfile.TemporaryDirectory() as folder:
        grid, out = Path(folder) / "grid.yaml", Path(folder) / "sweep"
        grid.write_text(json.dumps(point.smoke if means.smoke else point.grid))
        begin = time.monotonic()
        done = _geomem("sweep", str(grid), *("--out", str(out), "--quiet"), *_device(means))
        seconds = time.monotonic() - begin
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
            return [Row(name, "geomem-train sweep", "geomem", f"failed: {reason}"[:200])]
        _geomem("verify", str(out)).check_returncode()
        return _rows(name, out, seconds, point.seconds)


def _device(means: Means) -> tuple[str, ...]:
    return ("--set", f"execution.device={means.device}")


def _geomem(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)


def _rows(name: str, out: Path, seconds: float, limit: float) -> list[Row]:
    runs = list(open_sweep(out))
    steps = sum(int(run.row["steps"]) for run in runs)
    total = Row(name, "geomem-train sweep", "geomem")
    total.status = "ok" if seconds <= limit else f"later than {limit:.0f} s"
    total.figures = {
        "seconds": seconds,
        "runs": len(runs),
        "runs_per_hour": len(runs) * 3600 / seconds,
        "member_steps_per_second": steps / seconds,
        "packs": len({run.pack.path for run in runs}),
    }
    rows = [total]
    for arms in sorted({run.row["graph.arms"] for run in runs}):
        found = [run.final(METRIC) for run in runs if run.row["graph.arms"] == arms]
        figures = {"runs": len(found), "accuracy": median(found), "lowest": min(found)}
        rows.append(Row(name, f"{arms} arms", "accuracy", figures=figures))
    return rows
