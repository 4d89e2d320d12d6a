"""How an op's implementation is chosen: explicitly, or once by `auto`, never silently."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def choose(op: str, implementations: Mapping[str, T], impl: str, auto: str) -> tuple[str, T]:
    """Return (name, function) of the implementation that `impl` asks for.

    `auto` names the one that "auto" stands for. Raises ValueError with the alternatives.
    """
    name = auto if impl == "auto" else impl
    if name not in implementations:
        known = ", ".join(["auto", *implementations])
        raise ValueError(f"{op}: impl={impl!r} is not available here; choose one of {known}")
    return name, implementations[name]
