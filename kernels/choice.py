"""How an op's implementation is chosen: explicitly, or once by `auto`, never silently."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TypeVar

T = TypeVar("T")

TRITON = find_spec("triton") is not None
# Triton reads the variable when it is first imported; kernels then run on CPU tensors alone.
INTERPRETED = TRITON and os.environ.get("TRITON_INTERPRET", "0").lower() in {"1", "true", "on"}


def runs_triton(device_type: str) -> bool:
    """Whether Triton kernels can be started on tensors of a device."""
    return TRITON and (device_type == "cpu" if INTERPRETED else device_type == "cuda")


def choose(op: str, implementations: Mapping[str, T], impl: str, auto: str) -> tuple[str, T]:
    """Return (name, function) of the implementation that `impl` asks for.

    `auto` names the one that "auto" stands for. Raises ValueError with the alternatives.
    """
    name = auto if impl == "auto" else impl
    if name not in implementations:
        known = ", ".join(["auto", *implementations])
        raise ValueError(f"{op}: impl={impl!r} is not available here; choose one of {known}")
    return name, implementations[name]
