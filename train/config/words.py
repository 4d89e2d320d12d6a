"""Values and choices in the words of error messages."""

import difflib
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

LONGEST = 60


def shorten(text: str) -> str:
    """The text on one line, at most 60 characters of it, control characters escaped."""
    if len(text) > LONGEST:
        text = text[: LONGEST - 3] + "..."
    return text if text.isprintable() else repr(text)[1:-1]


def show_path(path: str | os.PathLike[str]) -> str:
    """A path as messages print it: whole, control characters escaped."""
    name = os.fspath(path)
    return name if name.isprintable() else repr(name)[1:-1]


def describe(value: Any) -> str:
    """What was written, as in `got the text 'off'`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text '{shorten(value)}'"
    if isinstance(value, int | float):
        return repr(value)
    if not isinstance(value, list | tuple | Mapping):
        return f"a value of type {type(value).__name__}"
    name = "mapping" if isinstance(value, Mapping) else "list"
    return f"a {name}" if value else f"an empty {name}"


def either(choices: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join(filter(None, [", ".join(choices[:-1]), *choices[-1:]]))


def close_to(word: str, choices: Collection[str]) -> list[str]:
    """The choice that looks most like the word, or nothing."""
    if len(word) > LONGEST:  # comparing takes quadratic time
        return []
    return difflib.get_close_matches(word, choices, n=1, cutoff=0.7)


def did_you_mean(guesses: Sequence[str]) -> str:
    """A sentence to append; empty without guesses."""
    return f". Did you mean {either(guesses)}?" if guesses else ""
