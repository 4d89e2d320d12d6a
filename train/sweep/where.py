"""Which runs of a sweep are meant: `model.kind=mamba`, `graph.arms>=256`, `edges=both,forward`."""

import json
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
MOST_SHOWN = 8  # values in a message
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
        found = (self.compare(fields[self.field], value) for value in self.values)
        return all(found) if self.relation == "!=" else any(found)

    def compare(self, found: Any, value: Any) -> bool:
        """Whether what a run has stands in the relation to a value; true is not 1.

        A list is compared with the JSON that stands for it in flat fields, number by number.
        """
        if isinstance(value, list):
            found = _as_list(found)
        if self.relation in ("=", "!="):
            found, value = ((isinstance(v, bool), v) for v in (found, value))
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
    return _meeting(_conditions(texts, rows), runs, rows)


def select_some(
    sweep: Path,
    texts: Sequence[str],
    runs: Sequence[Run],
    fields_of: Callable[[Run], Mapping[str, Any]],
) -> list[Run]:
    """`select` of the runs of a sweep that have results.

    Raises UsageError if there are none, and for a value that none of them has.
    """
    if not runs:
        raise UsageError(f"{sweep}: no run has results; 'geomem-train sweep' trains them")
    rows = [fields_of(run) for run in runs]
    conditions = _conditions(texts, rows)
    for condition in conditions:
        _refuse_unknown_values(sweep, condition, rows)
    found = _meeting(conditions, runs, rows)
    if not found:
        raise UsageError(f"{sweep}: no run that has results meets {' and '.join(texts)}")
    return found


def _meeting(
    conditions: Sequence[Condition], runs: Sequence[Run], rows: Sequence[Mapping[str, Any]]
) -> list[Run]:
    return [
        run
        for run, row in zip(runs, rows, strict=True)
        if all(condition.holds(row) for condition in conditions)
    ]


def _conditions(texts: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[Condition]:
    known = dict.fromkeys(name for row in rows for name in row)
    return [_condition(text, known) for text in texts]


def _refuse_unknown_values(
    sweep: Path, condition: Condition, rows: Sequence[Mapping[str, Any]]
) -> None:
    name = condition.field
    there = list(dict.fromkeys(row[name] for row in rows if name in row))
    for value in condition.values if condition.relation == "=" else ():
        if not any(condition.compare(found, value) for found in there):
            shown = ", ".join(map(_written, there[:MOST_SHOWN]))
            rest = ", ..." * (len(there) > MOST_SHOWN)
            problem = f"no run that has results meets {name}={_written(value)}"
            raise UsageError(f"{sweep}: {problem}; they have {name} {shown}{rest}")


def _as_list(found: Any) -> Any:
    try:
        return json.loads(found) if isinstance(found, str) else found
    except ValueError:
        return found


def _written(value: Any) -> str:
    if isinstance(value, list):
        return shorten(json.dumps(value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return shorten(str(value))


def _condition(text: str, fields: Collection[str]) -> Condition:
    match = _FORM.fullmatch(text)
    if not match or not match[3]:
        raise UsageError(f"--where {shorten(text)}: write FIELD=VALUE, such as model.kind=mamba")
    mark = Mark(f"--where {shorten(text)}")
    values = tuple(_value(part.strip(), mark) for part in _parts(match[3]))
    if match[2] not in ("=", "==", "!=") and not all(isinstance(v, int | float) for v in values):
        raise UsageError(f"--where {shorten(text)}: {match[2]} is for numbers")
    return Condition(_field(match[1], fields, text), match[2].replace("==", "="), values)


def _parts(text: str) -> list[str]:
    """What commas part, those of a list such as [0.9, 0.999] left alone."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]" and depth > 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


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
