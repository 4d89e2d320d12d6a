"""Runs the checks of tests/emulated in a process that sees a GPU where there is none.

PyTorch without CUDA refuses to differentiate tensors of a GPU; a library of some lines, loaded
before it, has it ask nobody. It takes a C++ compiler to make.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed")
HERE = Path(__file__).parent / "emulated"
TORCH = Path(torch.__file__).parent


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None or sys.platform != "linux" or torch.version.cuda:
        pytest.skip("needs a C++ compiler, Linux and a PyTorch without CUDA")
    library = tmp_path_factory.mktemp("device") / "device.so"
    include, lib = TORCH / "include", TORCH / "lib"
    flags = ["-shared", "-fPIC", "-std=c++20", f"-I{include}", f"-L{lib}", "-lc10", "-ltorch_cpu"]
    subprocess.run([compiler, HERE / "device.cpp", *flags, "-o", library], check=True)
    return {"LD_PRELOAD": str(library), "LD_LIBRARY_PATH": str(lib), "OMP_NUM_THREADS": "1"}


def test_training_on_an_emulated_gpu(device):
    options = ["-o", "python_files=check_*.py", "-rfE"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *options, HERE / "check_training.py"],
        cwd=HERE.parent.parent,
        env={**os.environ, **device},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
