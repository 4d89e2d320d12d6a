"""What a plain (unquoted) scalar means: numbers are what they look like, the rest is text."""

import math
import re

Scalar = str | int | float | bool | None

MAX_NUMBER_LENGTH = 100
_WORDS: dict[str, Scalar] = {"": None, "~": None, "null": None, "true": True, "false": False}
_FIRST_OF_NUMBER = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"([-+]?)0+([0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?)")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def resolve(text: str) -> Scalar:
    """The value of a plain scalar; ValueError with the remedy for one that is refused.

    `null`, `~` and nothing are None; `true` and `false` the only booleans; `1e-3` is a float;
    `yes`, `0x10`, `1_000`, `1:30` and dates are text. Refused: leading zeros, NaN, infinity.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _FIRST_OF_NUMBER:
        return text
    if _LEADING_ZERO.fullmatch(text):
        plain = "".join(_LEADING_ZERO.fullmatch(text).groups("")[:2])  # type: ignore[union-attr]
        raise ValueError(f"a number with leading zeros is ambiguous; write {plain} or '{text}'")
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a number that can be used; only finite ones are")
    if _FLOAT.fullmatch(text):
        return _number(text)
    return text


def _number(text: str) -> int | float:
    if len(text) > MAX_NUMBER_LENGTH:
        raise ValueError(f"a number of {len(text)} characters; the limit is {MAX_NUMBER_LENGTH}")
    if _INTEGER.fullmatch(text):
        return int(text)
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large for a number")
    if value == 0 and re.match(r"[-+.0]*[1-9]", text):
        raise ValueError(f"{text} is too small for a number; write 0 or a larger one")
    return value or 0.0  # -0.0 would give a second identity to the same run
