"""The record of findings names what it was found with."""

import json
import subprocess
import sys

from geomem.analysis.findings import FINDINGS
from tests.analysis.trained import train_sweep

GRID = """
version: 1
defaults:
  graph: {kind: path_star, arms: 4, length: 3}
  task.recipe: mixed
  model: {kind: transformer, layers: 1, width: 8, heads: 2}
  optim: {lr: 1e-2}
  train: {steps: 2}
execution: {workers: 1}
"""


def test_record(tmp_path):
    sweep = train_sweep(tmp_path, GRID)
    command = [sys.executable, "-m", "geomem.bench.findings", str(sweep), "--trained", "abc"]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert (found["sweeps"], found["runs"]) == (["sweep"], 1)
    assert found["trained_at"] == "abc"
    (by,) = found["trained_by"]
    assert {"geomem", "torch", "python", "device"} <= set(by)
    assert {"commit", "packages"} <= set(found["environment"])
    assert [f["number"] for f in found["findings"]] == [f.number for f in FINDINGS]
    assert {f["verdict"] for f in found["findings"]} == {"not tested"}
