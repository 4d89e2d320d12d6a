"""Import of packages that may or may not be there."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def import_peer(*modules: str) -> Any:
    """Import modules in order and return the last.

    Some of them look for a package called `kernels`; with the repository on the path, as it is
    for `python -m` in it, they would find ours. It is taken off the path meanwhile.
    """
    kept = sys.path[:]
    sys.path[:] = [entry for entry in kept if Path(entry or ".").resolve() != ROOT]
    try:
        return [import_module(module) for module in modules][-1]
    finally:
        sys.path[:] = kept


def why_missing(module: str, device: str, needs_cuda: bool) -> str:
    """Return why a peer cannot run, or nothing."""
    if find_spec(module.split(".")[0]) is None:
        return "not installed"
    if needs_cuda and device != "cuda":
        return "needs CUDA"
    try:
        import_peer(module)
    except Exception as error:  # a peer may want more than it says, or another release
        return f"import failed: {error}"[:200]
    return ""
