"""pydantic's errors in the words of the grid file: which field, what is wrong, what to write."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from geomem.train.config.catalog import (
    SECTIONS,
    classes_of,
    kind_of,
    unknown_field,
    unknown_kind,
)
from geomem.train.config.scalars import resolve
from geomem.train.config.words import close_to, describe, did_you_mean, either

_EXPECTED = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_RANGES = {
    "greater_than": ("gt", "has to be greater than"),
    "greater_than_equal": ("ge", "has to be at least"),
    "less_than": ("lt", "has to be less than"),
    "less_than_equal": ("le", "has to be at most"),
}
_MEANT = {"yes": "true", "on": "true", "no": "false", "off": "false"}


@dataclass(frozen=True)
class Fault:
    """One wrong field: `path` as in ("optim", "betas", 1); `related` are paths to fall back to.

    A missing field has no place of its own, and of an unknown one the key is wrong, not the value.
    """

    path: tuple[str | int, ...]
    text: str
    related: tuple[tuple[str | int, ...], ...] = ()
    missing: bool = False
    unknown: bool = False

    @property
    def key(self) -> str:
        """The dotted name, without positions in lists."""
        return ".".join(step for step in self.path if isinstance(step, str))


def explain(error: ValidationError, root: type[BaseModel]) -> list[Fault]:
    """What is wrong with a `root` in plain words; the branches of a union become one fault."""
    branches: dict[tuple[str | int, ...], list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        branches.setdefault(_path(detail["loc"], root), []).append(detail)
    misspelt = {path[:-1] for path, found in branches.items() if _is(found, "extra_forbidden")}
    return [
        _fault(path, details)
        for path, details in branches.items()
        if not (_is(details, "missing") and path[:-1] in misspelt)
    ]


def _is(details: list[ErrorDetails], kind: str) -> bool:
    return details[0]["type"] == kind


def _path(loc: tuple[str | int, ...], root: type[BaseModel]) -> tuple[str | int, ...]:
    """The location without what pydantic adds for the branches of unions."""
    path: list[str | int] = []
    models = [root]
    for position, step in enumerate(loc):
        fields = [m.model_fields[step] for m in models if step in m.model_fields]
        if fields:
            models = [model for field in fields for model in classes_of(field.annotation)]
        elif len(models) > 1 and any(step == kind_of(model) for model in models):
            models = [model for model in models if step == kind_of(model)]
            continue
        elif isinstance(step, str) and not (models and position == len(loc) - 1):
            continue
        path.append(step)
    return tuple(path)


def _fault(path: tuple[str | int, ...], details: list[ErrorDetails]) -> Fault:
    first = details[0]
    context = first.get("ctx", {})
    if "field" in context:
        path, owner = (*path, *context["field"].split(".")), path
        return Fault(path, first["msg"], tuple((*owner, name) for name in context))
    if first["type"].startswith("union_tag") or _is_kind(path):
        return _wrong_kind(path, first)
    if first["type"] == "missing":
        return Fault(path, _missing(path), missing=True)
    if first["type"] == "extra_forbidden":
        kind = first["loc"][1] if len(first["loc"]) > len(path) else ""
        return Fault(path, unknown_field(".".join(map(str, path)), str(kind)), unknown=True)
    if first["type"] == "value_error":
        return Fault(path, str(context["error"]))
    return Fault(path, _wrong_value(details))


def _missing(path: tuple[str | int, ...]) -> str:
    if isinstance(path[-1], int):
        return f"value number {path[-1] + 1} is missing"
    return "is missing and has no default; give it a value"


def _is_kind(path: tuple[str | int, ...]) -> bool:
    return len(path) == 2 and path[0] in SECTIONS and path[1] == "kind"


def _wrong_kind(path: tuple[str | int, ...], detail: ErrorDetails) -> Fault:
    section, given = str(path[0]), detail["input"]
    path = (section, "kind")
    if isinstance(given, dict):
        if "kind" not in given:
            kinds = either(list(SECTIONS[section].kinds))
            return Fault(path, f"is missing; choose {kinds}", missing=True)
        given = given["kind"]
    return Fault(path, unknown_kind(section, given))


def _wrong_value(details: list[ErrorDetails]) -> str:
    """Range errors win over type errors: the value has the type of that branch."""
    for detail in details:
        if detail["type"] in _RANGES:
            bound, text = _RANGES[detail["type"]]
            return f"{text} {detail['ctx'][bound]:.15g}, got {describe(detail['input'])}"
    value = details[0]["input"]
    expected = []
    for detail in details:
        if detail["type"] == "literal_error":
            expected += re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        elif detail["type"] == "too_long":
            most, given = detail["ctx"]["max_length"], detail["ctx"]["actual_length"]
            return f"expected {most} values, got {given}"
        elif detail["type"] in _EXPECTED:
            expected.append(_EXPECTED[detail["type"]])
        else:
            return f"{detail['msg'][0].lower()}{detail['msg'][1:]}, got {describe(value)}"
    return f"expected {either(expected)}, got {describe(value)}{_remedy(value, expected)}"


def _remedy(value: Any, expected: list[str]) -> str:
    number = bool({"an integer", "a number"} & set(expected))
    if isinstance(value, list) and "a list" not in expected:
        return "; a list of values to try belongs under grid"
    if isinstance(value, float) and value.is_integer() and "an integer" in expected:
        return f"; write {int(value)}"
    if isinstance(value, str) and "true or false" in expected:
        meant = _MEANT.get(value.lower(), value.lower())
        return f"; write {meant}" if meant in ("true", "false") else ""
    if isinstance(value, str) and number:
        return _number_in(value, expected) or did_you_mean(close_to(value, expected))
    return did_you_mean(close_to(value, expected)) if isinstance(value, str) else ""


def _number_in(text: str, expected: list[str]) -> str:
    """How to write the number that a text such as '64', '0x10' or '1_000' was meant to be."""
    try:
        if not isinstance(resolve(text), str):
            return "; remove the quotes"
        return f"; write {int(text, 0)}"
    except ValueError:
        return "" if len(expected) > 1 else "; write a plain number such as 20 or 1e-3"
