"""`--set KEY=VALUE`: values given on the command line, laid over those of the file."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from geomem.train.config.catalog import PATHS, unknown_field
from geomem.train.config.errors import ConfigError, Mark, Problems
from geomem.train.config.execution import Execution
from geomem.train.config.settings import Patch, apply, read_field
from geomem.train.config.words import close_to, did_you_mean, shorten
from geomem.train.config.yaml_file import Node, parse_value

_TOP = ("name", "seeds", *(f"execution.{name}" for name in Execution.model_fields))

_FILE_ONLY = ("defaults", "grid", "zip", "runs", "overrides", "exclude", "version")


@dataclass
class Assignments:
    """Fields of runs, fields of `execution`, and `name` and `seeds` in `top`."""

    fields: Patch = field(default_factory=Patch)
    execution: dict[str, Node] = field(default_factory=dict)
    top: dict[str, Node] = field(default_factory=dict)


def read_assignments(sets: Sequence[str], problems: Problems) -> Assignments:
    """Read `KEY=VALUE` texts in order; of two for the same key the later one counts."""
    found = Assignments()
    for text in sets:
        _read(text, found, problems)
    return found


def _read(text: str, found: Assignments, problems: Problems) -> None:
    mark = Mark(f"--set {shorten(text)}")
    key, equals, value = text.partition("=")
    if not equals:
        problems.add(mark, shorten(key), "expected KEY=VALUE, for example train.steps=100")
    elif key not in PATHS and key not in _TOP:
        problems.add(mark, shorten(key), _unknown(key))
    else:
        try:
            node = parse_value(value, mark)
        except ConfigError as error:
            problems.add(mark, key, error.problems[0][1])
            return
        _assign(key, node, found, problems)


def _assign(key: str, node: Node, found: Assignments, problems: Problems) -> None:
    if key in _TOP:
        part, _, name = key.rpartition(".")
        (found.execution if part else found.top)[name] = node
        return
    patch = Patch()
    read_field(key, node, patch, problems)
    apply(found.fields.fields, patch)
    found.fields.whole |= patch.whole


def _unknown(key: str) -> str:
    if key.partition(".")[0] in _FILE_ONLY:
        return "belongs to the file; --set takes fields of runs, seeds, name and execution.*"
    near = close_to(key, _TOP)
    return f"unknown key{did_you_mean(near)}" if near else unknown_field(key)
