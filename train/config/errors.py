"""The one error of configuration files, and the list in which problems are gathered."""

from typing import Any, NamedTuple

from geomem.train.errors import Exit, GeomemError

SHOWN_PROBLEMS = 10
MAX_PROBLEMS = 1_000


class Mark(NamedTuple):
    """A place; line and column count from 1, line 0 is the whole file (or an argument)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


Problem = tuple[Mark | None, str]


class ConfigError(GeomemError):
    """A grid file that cannot be used: one or more problems, each with its place and remedy.

    `problems` has them all, equal ones once; the text shows the first ten.
    """

    exit_code = Exit.USAGE

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = list(dict.fromkeys(problems))
        lines = [f"{mark}: {text}" if mark else text for mark, text in self.problems]
        hidden = len(lines) - SHOWN_PROBLEMS
        if hidden > 0:
            lines[SHOWN_PROBLEMS:] = [f"... and {hidden} more problem{'s' if hidden > 1 else ''}"]
        super().__init__("\n".join(lines))

    def __reduce__(self) -> Any:  # an exception is rebuilt from its text unless told otherwise
        return ConfigError, (self.problems,)


class Problems:
    """What is wrong so far, gathered so that one message tells all of it, up to a thousand."""

    def __init__(self) -> None:
        self._found: dict[tuple[Mark, str], None] = {}

    def add(self, mark: Mark, key: str, text: str) -> None:
        """Note `mark: key: text`; the same problem counts once. The thousandth is raised."""
        self._found[mark, f"{key}: {text}"] = None
        if len(self._found) >= MAX_PROBLEMS:
            self.raise_any()

    def __len__(self) -> int:
        return len(self._found)

    def raise_any(self) -> None:
        """Raise ConfigError with everything found, in the order of the file, if there is any."""
        if self._found:
            raise ConfigError([*sorted(self._found)])
