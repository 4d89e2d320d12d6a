"""Which runs of a sweep are meant: `model.kind=mamba`, `graph.arms>=256`, `edges=both,forward`."""

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from geomem.train.config.errors import Mark
from geomem.train.config.words import close_to, did_you_mean, shorten
from geomem.train.config.yaml_file import parse_value, plain
from geomem.train.sweep.errors import UsageError

Run = TypeVar("Run")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(r"\s*([\w.]+?)\s*(!=|<=|>=|==|=|<|>)\s*(.*?)\s*")


class Condition(NamedTuple):
    """A field that has to stand in a relation to one of the values (to all of them for !=)."""

    field: str
    relation: str
    values: tuple[Any, ...]

    def holds(self, fields: Mapping[str, Any]) -> bool:
        """Whether a run with these flat fields is meant; a run without the field is not."""
        if self.field not in fields:
            return False
        found = (self._compare(fields[self.field], value) for value in self.values)
        return all(found) if self.relation == "!=" else any(found)

    def _compare(self, found: Any, value: Any) -> bool:
        if self.relation in ("=", "!="):
            return _OPERATORS[self.relation](found, value)
        numbers = all(isinstance(v, int | float) for v in (found, value))
        return numbers and _OPERATORS[self.relation](found, value)


def select(
    texts: Sequence[str], runs: Sequence[Run], fields_of: Callable[[Run], Mapping[str, Any]]
) -> list[Run]:
    """The runs whose flat fields meet every condition that a user typed, in their order.

    A field may be named by its last part if that is unique. Raises UsageError with the form of a
    condition, or with the nearest field where no run has the one that is named.
    """
    rows = [fields_of(run) for run in runs]
    known = dict.fromkeys(name for row in rows for name in row)
    wanted = [_condition(text, known) for text in texts]
    return [
        run
        for run, row in zip(runs, rows, strict=True)
        if all(condition.holds(row) for condition in wanted)
    ]


def select_some(
    sweep: Path,
    texts: Sequence[str],
    runs: Sequence[Run],
    fields_of: Callable[[Run], Mapping[str, Any]],
) -> list[Run]:
    """`select` of the runs of a sweep that have results; raises UsageError if there are none."""
    if not runs:
        raise UsageError(f"{sweep}: no run has results; 'geomem-train sweep' trains them")
    found = select(texts, runs, fields_of)
    if not found:
        raise UsageError(f"{sweep}: no run that has results meets {' and '.join(texts)}")
    return found


def _condition(text: str, fields: Collection[str]) -> Condition:
    match = _FORM.fullmatch(text)
    if not match or not match[3]:
        raise UsageError(f"--where {shorten(text)}: write FIELD=VALUE, such as model.kind=mamba")
    mark = Mark(f"--where {shorten(text)}")
    values = tuple(_value(part.strip(), mark) for part in match[3].split(","))
    if match[2] not in ("=", "==", "!=") and not all(isinstance(v, int | float) for v in values):
        raise UsageError(f"--where {shorten(text)}: {match[2]} is for numbers")
    return Condition(_field(match[1], fields, text), match[2].replace("==", "="), values)


def _value(text: str, mark: Mark) -> Any:
    """As in a grid file; a truth value also as Python and CSV files write it."""
    return plain(parse_value(text.lower() if text in ("True", "False") else text, mark))


def _field(name: str, fields: Collection[str], text: str) -> str:
    if name in fields:
        return name
    ends = sorted(field for field in fields if field.endswith(f".{name}"))
    if len(ends) == 1:
        return ends[0]
    guesses = ends or close_to(name, fields)
    problem = "stands for several fields" if ends else "no run has this field"
    raise UsageError(f"--where {shorten(text)}: {name}: {problem}{did_you_mean(guesses)}")
