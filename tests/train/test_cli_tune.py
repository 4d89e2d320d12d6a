"""`geomem-train tune` as it is typed, with real training, and a sweep that goes by its file."""

import json
import subprocess
import sys

import pytest

GRID = """\
version: 1
name: tiny
defaults:
  graph: {kind: cycle, nodes: 15}
  model: {kind: transformer, layers: 1, width: 8, heads: 2}
  optim.lr: 1e-2
  train.steps: 20
seeds: 0-3
execution: {device: cpu, stack: 2}
"""


@pytest.fixture
def cli(tmp_path):
    """Return a function that runs the command line beside a grid file."""
    (tmp_path / "g.yaml").write_text(GRID)

    def run(*words):
        command = [sys.executable, "-m", "geomem.train.cli", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_a_grid_is_tuned_planned_and_trained(cli, tmp_path):
    done = cli("tune", "g.yaml", "--seconds", "0.1")
    assert done.returncode == 0, done.stderr
    assert "1 member: " in done.stderr
    assert "tiny.tuning.json is written; it counts where it is named" in done.stderr
    assert done.stdout.count("chosen") == 2, "of the head, and of one size"
    assert "cycle nodes=15, transformer layers=1 width=8" in done.stdout
    (shape,) = json.loads((tmp_path / "tiny.tuning.json").read_text())["shapes"]
    assert [speed["members"] for speed in shape["measured"]] == [1, 2]
    words = ("g.yaml", "--tuning", "tiny.tuning.json", "--set", "execution.stack=auto")
    plan = json.loads(cli("plan", *words, "--json").stdout)
    assert {stack["size_from"] for stack in plan["stacks"]} == {"tuning"}
    assert max(stack["members"] for stack in plan["stacks"]) <= shape["members"]
    swept = cli("sweep", *words)
    assert swept.returncode == 0, swept.stderr
    assert "4 runs: 4 done" in swept.stderr


def test_damage_is_told_before_anything_is_measured(cli, tmp_path):
    (tmp_path / "t.json").write_text('{"format": 1,\n"device": 5}')
    found = cli("tune", "g.yaml", "--out", "t.json")
    assert found.returncode == 2
    assert "t.json:2:1: device: input should be a valid string, got 5; restore" in found.stderr
