"""Which runs of a sweep are meant: `model.kind=mamba`, `graph.arms>=256`, `edges=both,forward`."""

import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from geomem.train.config.errors import Mark
from geomem.train.config.words import close_to, did_you_mean, shorten
from geomem.train.config.yaml_file import parse_value, plain
from geomem.train.sweep.errors import UsageError

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(r"\s*([\w.]+?)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*")


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


def parse_where(texts: Sequence[str], fields: Collection[str]) -> list[Condition]:
    """Conditions from what a user typed; a field may be named by its last part if that is unique.

    Raises UsageError with the form, or the nearest field.
    """
    return [_condition(text, fields) for text in texts]


def select(
    conditions: Iterable[Condition], rows: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The rows that meet every condition, in their order."""
    conditions = list(conditions)
    return [row for row in rows if all(condition.holds(row) for condition in conditions)]


def _condition(text: str, fields: Collection[str]) -> Condition:
    match = _FORM.fullmatch(text)
    if not match or not match[3]:
        raise UsageError(f"--where {shorten(text)}: write FIELD=VALUE, such as model.kind=mamba")
    mark = Mark(f"--where {shorten(text)}")
    values = tuple(plain(parse_value(part.strip(), mark)) for part in match[3].split(","))
    return Condition(_field(match[1], fields, text), match[2], values)


def _field(name: str, fields: Collection[str], text: str) -> str:
    if name in fields:
        return name
    ends = sorted(field for field in fields if field.endswith(f".{name}"))
    if len(ends) == 1:
        return ends[0]
    guesses = ends or close_to(name, fields)
    problem = "stands for several fields" if ends else "no run has this field"
    raise UsageError(f"--where {shorten(text)}: {name}: {problem}{did_you_mean(guesses)}")
