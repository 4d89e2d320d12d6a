"""How an op's implementation is chosen: explicitly, or once by `auto`, never silently."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TypeVar

import torch

T = TypeVar("T")

TRITON = find_spec("triton") is not None
# Triton reads the variable when it is first imported; kernels then run on CPU tensors alone.
INTERPRETED = TRITON and os.environ.get("TRITON_INTERPRET", "0").lower() in {"1", "true", "on"}


def runs_triton(device_type: str) -> bool:
    """Whether Triton kernels can be started on tensors of a device."""
    return TRITON and (device_type == "cpu" if INTERPRETED else device_type == "cuda")


def joins_passes(device_type: str) -> bool:
    """Whether a kernel takes along what would be a pass of its own, as adding a bias.

    On a GPU, where a compiler does not look on, which does that by itself.
    """
    return runs_triton(device_type) and not INTERPRETED and not torch.compiler.is_compiling()


_listeners: list[dict[str, str]] = []


@contextlib.contextmanager
def recorded_choices() -> Iterator[dict[str, str]]:
    """Yield a mapping op -> implementation that fills with what is chosen meanwhile.

    Where calls of one op choose differently the names stand side by side, as in "eager + sdpa".
    """
    found: dict[str, str] = {}
    _listeners.append(found)
    try:
        yield found
    finally:
        _listeners[:] = [other for other in _listeners if other is not found]


def choose(op: str, implementations: Mapping[str, T], impl: str, auto: str) -> tuple[str, T]:
    """Return (name, function) of the implementation that `impl` asks for.

    `auto` names the one that "auto" stands for. Raises ValueError with the alternatives.
    """
    name = auto if impl == "auto" else impl
    if name not in implementations:
        known = ", ".join(["auto", *implementations])
        raise ValueError(f"{op}: impl={impl!r} is not available here; choose one of {known}")
    for found in _listeners:
        ran = found.setdefault(op, name)
        if name not in ran.split(" + "):
            found[op] = f"{ran} + {name}"
    return name, implementations[name]


def choose_pass(
    op: str, impl: str, device_type: str, dtype: torch.dtype, *, fits: bool = True
) -> str:
    """Return the implementation of an op that is one pass over what it is given.

    In a function that is compiled it is the reference, which a compiler makes one pass of. fits:
    whether the kernel takes the shape. Raises ValueError as `choose`.
    """
    known, auto = {"reference": "reference"}, "reference"
    kernels = (torch.bfloat16, torch.float32, *((torch.float64,) if INTERPRETED else ()))
    compiling = torch.compiler.is_compiling()
    if runs_triton(device_type) and dtype in kernels and fits and not compiling:
        known["triton"] = "triton"
        auto = auto if INTERPRETED else "triton"
    return choose(op, known, impl, auto)[0]
