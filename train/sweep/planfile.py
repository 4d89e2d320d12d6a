"""plan.jsonl: every run that was ever planned, stack by stack, and its place in the grid."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geomem.train.canonical import canonical_json
from geomem.train.config import read_config, run_id
from geomem.train.packs import atomic_write
from geomem.train.sweep.errors import StoreError

_RUN = re.compile(r"[0-9a-f]{64}")
_STACK = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True)
class Line:
    """One run: its place in the grid (None if the grid no longer has it) and its first stack."""

    index: int | None
    run: str
    stack: str
    config: dict[str, Any]


def write_plan(path: Path, lines: Iterable[Line]) -> None:
    """Write the plan atomically."""
    text = "".join(canonical_json(asdict(line)) + "\n" for line in lines)
    atomic_write(path, text.encode())


def read_plan(path: Path) -> list[Line]:
    """The plan; empty if there is none yet. Raises StoreError with the line that is damaged."""
    try:
        rows = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(path, error.strerror or str(error)) from error
    return [_parse(path, number, row) for number, row in enumerate(rows, 1)]


def check_plan(path: Path, lines: Sequence[Line]) -> None:
    """Raise StoreError with the first line whose configuration is not that of its run."""
    for number, line in enumerate(lines, 1):
        try:
            found = run_id(read_config(line.config))
        except ValueError:
            found = ""
        if found != line.run:
            problem = "this line's configuration is not that of its run; restore it from a copy"
            raise StoreError(path, problem, number)


def by_stack(lines: Sequence[Line]) -> dict[str, list[str]]:
    """The runs of each first stack, both in the order of the plan."""
    stacks: dict[str, list[str]] = {}
    for line in lines:
        stacks.setdefault(line.stack, []).append(line.run)
    return stacks


def _parse(path: Path, number: int, row: bytes) -> Line:
    try:
        line = Line(**json.loads(row))
        good = _RUN.fullmatch(line.run) and _STACK.fullmatch(line.stack)
        if good and isinstance(line.config, dict) and isinstance(line.index, int | None):
            return line
    except (ValueError, TypeError, RecursionError):
        pass
    raise StoreError(path, "this line of the plan is damaged; restore it from a copy", number)
