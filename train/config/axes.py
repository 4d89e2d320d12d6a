"""The axes of `grid` and `zip`: lists of values, and the patches that they stand for."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from geomem.train.config.catalog import GROUPS, PATHS, SECTIONS, unknown_field
from geomem.train.config.errors import Mark, Problems
from geomem.train.config.settings import Patch, apply, read_field
from geomem.train.config.words import describe, shorten
from geomem.train.config.yaml_file import Node


@dataclass(frozen=True)
class Axis:
    """One patch per value."""

    key: str
    mark: Mark
    patches: list[Patch]


def read_axes(node: Node, owner: str, problems: Problems) -> list[Axis]:
    """The axes of one mapping, `{model.width: [32, 64]}` or `{model: {width: [32, 64]}}`."""
    if not isinstance(node.value, dict):
        text = (
            f"expected a mapping of axes such as model.width: [32, 64], got {describe(node.value)}"
        )
        problems.add(node.place, owner, text)
        return []
    if not node.value:
        text = "no axes, so nothing would run; add one such as model.width: [32, 64], or remove it"
        problems.add(node.place, owner, text)
    return [axis for key, child in node.value.items() for axis in _read_axis(key, child, problems)]


def _read_axis(path: str, node: Node, problems: Problems) -> list[Axis]:
    if path not in PATHS:
        problems.add(node.place, shorten(path), unknown_field(path))
        return []
    if isinstance(node.value, dict) and node.value and (path in SECTIONS or path in GROUPS):
        inner = ((f"{path}.{key}", child) for key, child in node.value.items())
        return [axis for key, child in inner for axis in _read_axis(key, child, problems)]
    if not isinstance(node.value, list) or not node.value:
        text = f"an axis is a list of values, got {describe(node.value)}"
        if not isinstance(node.value, list | dict):
            text += f"; write [{shorten(str(node.value))}], or put a single value under defaults"
        problems.add(node.place, path, text)
        return []
    return [Axis(path, node.place, [_patch(path, item, problems) for item in node.value])]


def _patch(path: str, item: Node, problems: Problems) -> Patch:
    patch = Patch()
    if path in SECTIONS and not isinstance(item.value, dict):
        text = f"each value is a mapping such as {{kind: ...}}, got {describe(item.value)}"
        problems.add(item.mark, path, f"{text}; to vary the kind alone use {path}.kind")
    else:
        read_field(path, item, patch, problems)
    return patch


def read_zip(node: Node, problems: Problems) -> list[Axis]:
    """One axis for each mapping of the list; its own axes are walked in lockstep."""
    if not isinstance(node.value, list) or not node.value:
        text = "expected a list such as [{model.width: [32, 64], optim.lr: [1e-2, 1e-3]}]"
        problems.add(node.place, "zip", f"{text}, got {describe(node.value)}")
        return []
    walks = [(item, read_axes(item, "zip", problems)) for item in node.value]
    return [_lockstep(item.mark, axes, problems) for item, axes in walks if axes]


def _lockstep(mark: Mark, axes: list[Axis], problems: Problems) -> Axis:
    if len({len(axis.patches) for axis in axes}) > 1:
        counts = ", ".join(f"{axis.key} has {len(axis.patches)}" for axis in axes)
        text = f"the axes of one mapping need equally many values, and {counts}"
        problems.add(mark, "zip", text)
    refuse_shared_fields(axes, problems)
    rows = zip(*(axis.patches for axis in axes), strict=False)
    return Axis(" + ".join(axis.key for axis in axes), mark, [_merged(row) for row in rows])


def _merged(patches: tuple[Patch, ...]) -> Patch:
    merged = Patch(whole={section for patch in patches for section in patch.whole})
    for patch in patches:
        apply(merged.fields, Patch(patch.fields))
    return merged


def refuse_shared_fields(axes: list[Axis], problems: Problems) -> None:
    """Axes are independent of each other's order only if no field is set by two of them."""
    owners: dict[str, Axis] = {}
    inside: dict[str, Axis] = {}  # who sets a part of a group such as train.stop_when
    for axis in axes:
        leaves = dict.fromkeys(leaf for patch in axis.patches for leaf in patch.leaves)
        for leaf in leaves:
            group = leaf.rpartition(".")[0]
            other = owners.get(leaf) or owners.get(group) or inside.get(leaf)
            if other:
                text = f"sets {leaf}, as the axis {other.key} does ({other.mark}); keep one of them"
                problems.add(axis.mark, axis.key, text)
        owners.update(dict.fromkeys(leaves, axis))
        inside.update(dict.fromkeys((leaf.rpartition(".")[0] for leaf in leaves), axis))


def combinations(axes: list[Axis]) -> Iterator[list[Patch]]:
    """Each choice of one patch per axis, the last axis fastest; whole sections come first."""
    late = [not any(patch.whole for patch in axis.patches) for axis in axes]
    order = sorted(range(len(axes)), key=lambda position: late[position])
    for choice in product(*(axis.patches for axis in axes)):
        yield [choice[position] for position in order]


def count(axes: list[Axis]) -> int:
    """How many combinations there are, without making them."""
    return math.prod(len(axis.patches) for axis in axes)
