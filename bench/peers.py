"""Import of packages that may or may not be there, and torch.compile."""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile for each size anew, and such that a pass backward can be repeated."""
    from torch._dynamo import config as dynamo
    from torch._functorch import config as functorch

    dynamo.recompile_limit = 64
    functorch.donated_buffer = False
    return torch.compile(function, dynamic=False)


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
