"""Numbers, times and names as a reader wants them."""

import unicodedata
from collections.abc import Sequence


def number(value: float) -> str:
    """Three figures, or all of them with separators: 0.123, 12.3, 12,345."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """Two units at most: 4.2 s, 3 min 20 s, 5 h 12 min, 2 d 4 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, below, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {below}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def size(count: int) -> str:
    """Bytes with a decimal prefix: 999 B, 12.3 MB."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB", "EB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{count} B" if unit == "B" else f"{value:.3g} {unit}"


def plural(count: int, word: str) -> str:
    """1 run, 2 runs."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def listing(parts: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def printable(text: str) -> str:
    """The text without what could move a terminal's cursor; newlines stay."""
    return "".join(c if c == "\n" or unicodedata.category(c)[0] != "C" else "�" for c in text)
