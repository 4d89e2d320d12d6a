"""How every op refuses an argument that does not fit."""

from typing import NoReturn


def refuse(op: str, name: str, expected: object, received: object) -> NoReturn:
    """Raise ValueError with the op, the argument, what it should be and what it is."""
    raise ValueError(f"{op}: {name} should be {expected}, got {received}")
