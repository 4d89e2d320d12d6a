"""What a grid file says of its runs, in layers that are not yet put together."""

from dataclasses import dataclass

from geomem.train.config.axes import Axis, count, read_axes, read_zip, refuse_shared_fields
from geomem.train.config.entries import read_items, read_keys
from geomem.train.config.errors import Mark, Problems
from geomem.train.config.rules import Rule, read_where
from geomem.train.config.settings import Patch, read_patch
from geomem.train.config.yaml_file import Node

Entries = dict[str, Node]
_RULE = "[{where: {model.kind: transformer}, set: {model.heads: 2}}]"


@dataclass(frozen=True)
class Layers:
    """Each value with its place; seeds apart. `sets` are the fields given by --set."""

    top: Mark
    defaults: Patch
    axes: list[Axis]
    explicit: list[tuple[Mark, Patch]]
    overrides: list[Rule]
    exclude: list[Rule]
    sets: Patch

    @property
    def has_product(self) -> bool:
        """Without axes the defaults alone are one run, unless runs are listed."""
        return bool(self.axes) or not self.explicit

    @property
    def count(self) -> int:
        """Configurations before exclusion, counted without making them."""
        return len(self.explicit) + (count(self.axes) if self.has_product else 0)


def read_layers(top: Mark, entries: Entries, sets: Patch, problems: Problems) -> Layers:
    """Read everything below the file's top level that concerns runs."""
    defaults = Patch()
    if "defaults" in entries:
        defaults = read_patch(entries["defaults"], "defaults", problems)
    return Layers(
        top=top,
        defaults=defaults,
        axes=_axes(entries, problems),
        explicit=_explicit(entries, problems),
        overrides=_overrides(entries, problems),
        exclude=_exclude(entries, problems),
        sets=sets,
    )


def _axes(entries: Entries, problems: Problems) -> list[Axis]:
    axes = read_axes(entries["grid"], "grid", problems) if "grid" in entries else []
    axes += read_zip(entries["zip"], problems) if "zip" in entries else []
    refuse_shared_fields(axes, problems)
    return axes


def _explicit(entries: Entries, problems: Problems) -> list[tuple[Mark, Patch]]:
    if "runs" not in entries:
        return []
    items = read_items(entries["runs"], "runs", "[{model.width: 32}]", problems)
    return [(item.mark, read_patch(item, "runs", problems)) for item in items]


def _overrides(entries: Entries, problems: Problems) -> list[Rule]:
    if "overrides" not in entries:
        return []
    items = read_items(entries["overrides"], "overrides", _RULE, problems)
    return [_override(item, problems) for item in items]


def _override(item: Node, problems: Problems) -> Rule:
    before = len(problems)
    entries = read_keys(item, ("where", "set"), "overrides", problems)
    if len(entries) < 2:
        if len(problems) == before:
            problems.add(item.mark, "overrides", f"needs `where` and `set`, as in {_RULE}")
        return Rule(item.mark)
    rule = read_where(entries["where"], "overrides", problems)
    rule.patch = read_patch(entries["set"], "overrides.set", problems)
    if entries["set"].value == {}:
        problems.add(entries["set"].mark, "overrides.set", f"is empty; name a field, as in {_RULE}")
    return rule


def _exclude(entries: Entries, problems: Problems) -> list[Rule]:
    if "exclude" not in entries:
        return []
    items = read_items(entries["exclude"], "exclude", "[{model.kind: transformer}]", problems)
    return [read_where(item, "exclude", problems) for item in items]
