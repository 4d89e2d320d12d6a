"""Fields of a run as written: read from a mapping, layered, and turned into plain values."""

from dataclasses import dataclass, field
from typing import Any

from geomem.train.config.catalog import GROUPS, PATHS, SECTIONS, kind_of, unknown_field
from geomem.train.config.errors import Problems
from geomem.train.config.words import describe, shorten
from geomem.train.config.yaml_file import Node, plain

Settings = dict[str, Node]
"""`section.field` -> the value with its place; a group such as train.stop_when is one value."""


@dataclass
class Patch:
    """Fields to lay over others. A section in `whole` first loses the fields it inherited."""

    fields: Settings = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)

    @property
    def leaves(self) -> list[str]:
        """Dotted paths of everything that the patch sets, groups taken apart."""
        return [
            f"{path}.{name}" if name else path
            for path, node in self.fields.items()
            for name in (_group(path, node) or [""])
        ]


def apply(settings: Settings, patch: Patch) -> None:
    """Lay the patch over the settings, in place."""
    if patch.whole:
        for path in [path for path in settings if path.partition(".")[0] in patch.whole]:
            del settings[path]
    for path, node in patch.fields.items():
        above, below = _group(path, node), _group(path, settings.get(path))
        merge = above is not None and below is not None
        settings[path] = Node({**below, **above}, node.mark, node.key) if merge else node  # type: ignore[dict-item]


def values_of(settings: Settings) -> dict[str, dict[str, Any]]:
    """Plain values by section and field; a section's only or usual kind is filled in.

    An optional section of which nothing was written is left out.
    """
    values: dict[str, dict[str, Any]] = {
        name: {"kind": info.default_kind} if info.default_kind else {}
        for name, info in SECTIONS.items()
        if not info.optional
    }
    for path, node in settings.items():
        section, _, name = path.partition(".")
        values.setdefault(section, {})[name] = plain(node)
    return values


def read_patch(node: Node, owner: str, problems: Problems) -> Patch:
    """The fields in a mapping, nested or dotted; `owner` names the mapping in messages."""
    patch = Patch()
    if not isinstance(node.value, dict):
        problems.add(node.place, owner, f"expected a mapping of fields, got {describe(node.value)}")
        return patch
    for key, child in node.value.items():
        read_field(key, child, patch, problems)
    return patch


def read_field(path: str, node: Node, patch: Patch, problems: Problems) -> None:
    """Add one entry `path: value` to the patch; a path may name a section, a field or deeper."""
    if path in SECTIONS:
        _read_section(path, node, patch, problems)
    elif path in PATHS:
        _put(path, node, patch, problems)
    else:
        problems.add(node.place, shorten(path), unknown_field(path))


def _read_section(section: str, node: Node, patch: Patch, problems: Problems) -> None:
    if not isinstance(node.value, dict):
        text = f"expected a mapping of fields, got {describe(node.value)}"
        problems.add(node.place, section, text)
        return
    model = None
    if "kind" in node.value:
        kind = node.value["kind"]
        patch.whole.add(section)
        _put(f"{section}.kind", kind, patch, problems)
        model = SECTIONS[section].kinds.get(str(kind.value))
        if model is None:
            return  # the unknown kind is reported later, and its fields are nobody's
    for key, child in node.value.items():
        path = f"{section}.{key}"
        if model and key.partition(".")[0] not in model.model_fields:
            text = unknown_field(path, kind_of(model))
            problems.add(child.place, shorten(path), text)
        elif key != "kind":
            read_field(path, child, patch, problems)


def _put(path: str, node: Node, patch: Patch, problems: Problems) -> None:
    parent, _, name = path.rpartition(".")
    if parent in GROUPS:
        path, node = parent, Node({name: node}, node.mark, node.key)
    above, below = _group(path, node), _group(path, patch.fields.get(path))
    if path not in patch.fields:
        patch.fields[path] = node
    elif above and below and not above.keys() & below.keys():
        patch.fields[path] = Node({**below, **above}, node.mark, node.key)
    else:
        first = patch.fields[path].place
        where = f", first at {first}" if first != node.place else ""
        problems.add(node.place, path, f"given twice{where}; keep one of them")


def _group(path: str, node: Node | None) -> dict[str, Node] | None:
    """The fields of a group, None for anything else."""
    if path in GROUPS and node is not None and isinstance(node.value, dict):
        return node.value
    return None
