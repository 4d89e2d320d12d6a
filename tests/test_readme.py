"""Every command of the README runs, in its order, on a short training."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from geomem.analysis.figures import FIGURES

ROOT = Path(__file__).resolve().parent.parent
SHORT = {
    "kernels": ["--smoke"],
    "sweep": ["--set", "seeds=0", "--set", "train.steps=4"],
    "tune": ["--seconds", "0.1", "--set", "execution.stack=1", "--set", "graph.arms=64"],
}


def _commands():
    """Argument lists of the geomem commands in the README's shell blocks, once each."""
    text = (ROOT / "README.md").read_text()
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()
    found = [shlex.split(line, comments=True) for line in lines]
    found = [[Path(words[0]).name, *words[1:]] for words in found if words]
    return list(dict.fromkeys(tuple(words) for words in found if words[0].startswith("geomem-")))


def test_the_readme_shows_commands():
    programs = {words[0] for words in _commands()}
    assert programs == {"geomem-train", "geomem-analyze", "geomem-bench"}


def test_the_commands_of_the_readme_run(tmp_path):
    for words in _commands():
        program = Path(sys.executable).with_name(words[0])
        short = SHORT.get(words[1], [])
        result = subprocess.run(
            [program, *words[1:], *short], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{shlex.join(words)}\n{result.stderr}"
    names = {path.name for path in (tmp_path / "sweeps").glob("*/figures/*.png")}
    assert names == {f"{name}.png" for name in FIGURES}


@pytest.mark.parametrize("target", ["sweep", "test"])
def test_make_runs_what_the_readme_says(target):
    text = (ROOT / "README.md").read_text()
    made = subprocess.run(
        ["make", "--dry-run", "--always-make", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [
        line for line in made.splitlines() if line.startswith(".venv/bin/") and "pip" not in line
    ]
    assert lines
    for line in lines:
        assert line in text


def test_a_sweep_without_packs_and_a_missing_one(tmp_path):
    program = Path(sys.executable).with_name("geomem-analyze")
    for sweep in (tmp_path, tmp_path / "absent"):
        command = [program, "figures", str(sweep)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode != 0
        assert str(sweep) in result.stderr
        assert "Traceback" not in result.stderr
