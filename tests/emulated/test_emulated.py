"""Runs the checks of this folder in a process that sees a GPU where there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is not installed")

from tests.emulated import library

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    """Return a function that runs Python with these arguments."""
    if reason := library.why_not():
        pytest.skip(reason)
    environment = {**os.environ, **library.environment(tmp_path_factory.mktemp("device"))}

    def run(*arguments):
        command = [sys.executable, *arguments]
        found = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    return run


def test_training_on_an_emulated_gpu(emulated):
    options = ["-o", "python_files=check_*.py", "-rfE"]
    emulated("-m", "pytest", *options, "tests/emulated/check_training.py")


def test_what_a_step_launches(emulated):
    """Twelve layers of the paper's model, of which each takes what it takes, and nothing grows."""
    (line,) = emulated("-m", "tests.emulated.count", "g5000_steps").splitlines()
    launches = int(line.split(" launches")[0].split()[-1])
    assert 300 < launches <= 470, line
