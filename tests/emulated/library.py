"""The library that lets PyTorch without CUDA differentiate tensors that say they are there."""

import shutil
import subprocess
import sys
from pathlib import Path

import torch

_TORCH = Path(torch.__file__).parent


def why_not() -> str:
    """Why it cannot be made here, or nothing."""
    if sys.platform != "linux" or torch.version.cuda or not _compiler():
        return "needs Linux, a C++ compiler and a PyTorch without CUDA"
    return ""


def environment(folder: Path) -> dict[str, str]:
    """Make it in a folder; return the environment of a process that has it from the start."""
    library, lib = folder / "device.so", _TORCH / "lib"
    source = Path(__file__).with_name("device.cpp")
    flags = ["-shared", "-fPIC", "-std=c++20", f"-I{_TORCH / 'include'}", f"-L{lib}"]
    command = [_compiler(), source, *flags, "-lc10", "-ltorch_cpu", "-o", library]
    subprocess.run(command, check=True)
    return {"LD_PRELOAD": str(library), "LD_LIBRARY_PATH": str(lib), "OMP_NUM_THREADS": "1"}


def _compiler() -> str | None:
    return shutil.which("g++") or shutil.which("clang++")
