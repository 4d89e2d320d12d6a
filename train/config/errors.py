"""The one error of configuration files."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class ConfigError(Exception):
    """A grid file that cannot be used: one or more problems, each with its place and remedy."""

    def __init__(self, problems: list[tuple[Mark | None, str]]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"{mark}: {text}" if mark else text for mark, text in problems))
