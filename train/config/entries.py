"""Mappings with fixed keys, and lists, as a grid file's top level has them."""

from collections.abc import Collection

from geomem.train.config.errors import Problems
from geomem.train.config.words import close_to, describe, did_you_mean, shorten
from geomem.train.config.yaml_file import Node


def read_keys(
    node: Node, allowed: Collection[str], owner: str, problems: Problems
) -> dict[str, Node]:
    """The entries with allowed keys; the others are problems."""
    if not isinstance(node.value, dict):
        text = f"expected a mapping with {', '.join(allowed)}, got {describe(node.value)}"
        problems.add(node.place, owner, text)
        return {}
    for key, child in node.value.items():
        if key not in allowed:
            text = f"unknown key{did_you_mean(close_to(key, allowed))}"
            problems.add(child.place, f"{owner}.{shorten(key)}", text)
    return {key: child for key, child in node.value.items() if key in allowed}


def read_items(node: Node, owner: str, example: str, problems: Problems) -> list[Node]:
    """The items of a list that is not empty."""
    if isinstance(node.value, list) and node.value:
        return node.value
    text = (
        f"expected a list such as {example}, got {describe(node.value)}; remove {owner} if unused"
    )
    problems.add(node.place, owner, text)
    return []
