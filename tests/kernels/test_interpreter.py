"""Runs the checks of tests/kernels/interpreter in processes whose Triton interprets.

The variable has to be set before Triton is imported, hence other processes, side by side; the
failures of a file are reported in its output. Alone, a check is run by
`TRITON_INTERPRET=1 python -m pytest -o python_files='check_*.py' tests/kernels/interpreter -k ...`
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is not installed")
HERE = Path(__file__).parent / "interpreter"
FILES = sorted(path.name for path in HERE.glob("check_*.py"))
OPTIONS = ["-o", "python_files=check_*.py", "-rfE", "-W", "ignore::RuntimeWarning:triton"]


def _check(file):
    return subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, HERE / file],
        cwd=HERE.parent.parent.parent,
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def checks():
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {file: pool.submit(_check, file) for file in FILES}


@pytest.mark.parametrize("file", FILES)
def test_kernels_under_the_interpreter(file, checks):
    result = checks[file].result()
    assert result.returncode == 0, result.stdout + result.stderr
