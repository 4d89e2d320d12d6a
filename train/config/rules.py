"""`where`: which runs an override or an exclusion is about."""

from dataclasses import dataclass, field
from typing import Any

from geomem.train.config.catalog import (
    GROUPS,
    PATHS,
    SECTIONS,
    UNSET,
    default_of,
    unknown_field,
    unknown_kind,
)
from geomem.train.config.errors import Mark, Problems
from geomem.train.config.graph import EdgeList, Text
from geomem.train.config.scalars import resolve
from geomem.train.config.settings import Patch, Settings
from geomem.train.config.words import describe, shorten
from geomem.train.config.yaml_file import Node, plain

_TEXTS = {name for graph in (EdgeList, Text) for pair in graph.FILES.items() for name in pair}


@dataclass
class Rule:
    """Paths with the values that match; `patch` is what an override sets, `hits` counts runs."""

    mark: Mark
    wanted: dict[str, list[Any]] = field(default_factory=dict)
    patch: Patch = field(default_factory=Patch)
    hits: int = 0

    def matches(self, settings: Settings) -> bool:
        """Whether every path has one of its values; remembered in `hits`."""
        for path, values in self.wanted.items():
            value = value_in_force(settings, path)
            if not any(_same(value, wanted) for wanted in values):
                return False
        self.hits += 1
        return True


def value_in_force(settings: Settings, path: str) -> Any:
    """What was written or else the default; UNSET where the run's kind has no such field."""
    parent, _, name = path.rpartition(".")
    if parent in GROUPS:
        group = value_in_force(settings, parent)
        return group.get(name, UNSET) if isinstance(group, dict) else UNSET
    if path in settings:
        return plain(settings[path])
    info = SECTIONS[parent]
    if name == "kind":
        return info.default_kind or UNSET
    kind = plain(settings[f"{parent}.kind"]) if f"{parent}.kind" in settings else info.default_kind
    return default_of(path, str(kind or ""))


def _same(value: Any, wanted: Any) -> bool:
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def read_where(node: Node, owner: str, problems: Problems) -> Rule:
    """A mapping of fields, nested or dotted, each with a value or a list of values."""
    rule = Rule(node.place)
    if not isinstance(node.value, dict) or not node.value:
        text = "where is a mapping of fields such as {model.kind: transformer}"
        problems.add(node.place, owner, f"{text}, got {describe(node.value)}")
        return rule
    _read_conditions(node.value, "", rule, problems)
    return rule


def _read_conditions(entries: dict[str, Node], prefix: str, rule: Rule, problems: Problems) -> None:
    for key, node in entries.items():
        path = prefix + key
        if path not in PATHS:
            problems.add(node.place, shorten(path), unknown_field(path))
        elif isinstance(node.value, dict) and (path in SECTIONS or path in GROUPS):
            _read_conditions(node.value, f"{path}.", rule, problems)
        elif path in SECTIONS:
            text = f"expected a mapping of fields, got {describe(node.value)}"
            problems.add(node.place, path, text)
        elif path in rule.wanted:
            problems.add(node.place, path, "given twice; list its values: [a, b]")
        else:
            rule.wanted[path] = _values(path, node, problems)


def _values(path: str, node: Node, problems: Problems) -> list[Any]:
    items = node.value if isinstance(node.value, list) else [node]
    section, _, name = path.partition(".")
    for item in items:
        if name == "kind" and item.value not in tuple(SECTIONS[section].kinds):
            problems.add(item.mark, path, unknown_kind(section, plain(item)))
        elif name not in _TEXTS and _is_quoted(item.value):
            text = f"no run has {describe(item.value)} there; remove the quotes"
            problems.add(item.mark, path, text)
    return [plain(item) for item in items]


def _is_quoted(value: Any) -> bool:
    """Whether this is text that would be a number, true, false or null without its quotes."""
    try:
        return isinstance(value, str) and not isinstance(resolve(value), str)
    except ValueError:
        return False
