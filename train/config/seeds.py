"""The `seeds` of a grid file: 3, "0-31", "0-3,8" or a list of those."""

import re

from geomem.train.config.errors import Problems
from geomem.train.config.words import describe, shorten
from geomem.train.config.yaml_file import Node

LARGEST_SEED = 2**63 - 1
FORMS = "write a seed (7), a range (0-31), both (0-3,8) or a list of them"
_PART = r"\s*(0|[1-9][0-9]{0,18})\s*(?:-\s*(0|[1-9][0-9]{0,18})\s*)?"
TEXT_PATTERN = f"^{_PART}(,{_PART})*$"


def read_seeds(node: Node, problems: Problems) -> list[range]:
    """The ranges in the order given, not yet expanded; empty if anything is wrong with them."""
    before = len(problems)
    items = node.value if isinstance(node.value, list) else [node]
    found = [(part, item) for item in items for part in _read_item(item, problems)]
    if not items:
        problems.add(node.place, "seeds", f"no seeds, so nothing would run; {FORMS}")
    _refuse_overlap(found, problems)
    return [part for part, _ in found] if len(problems) == before else []


def _read_item(node: Node, problems: Problems) -> list[range]:
    value = node.value
    if isinstance(value, int) and not isinstance(value, bool):
        return _range(value, value, node, problems)
    parts = (
        [re.fullmatch(_PART, part) for part in value.split(",")] if isinstance(value, str) else []
    )
    if not parts or None in parts:
        problems.add(node.mark, "seeds", f"cannot read {describe(value)}; {FORMS}")
        return []
    bounds = [(int(part[1]), int(part[2] or part[1])) for part in parts if part]
    return [found for low, high in bounds for found in _range(low, high, node, problems)]


def _range(low: int, high: int, node: Node, problems: Problems) -> list[range]:
    if low < 0 or high > LARGEST_SEED:
        text = f"seeds go from 0 to {LARGEST_SEED}, got {shorten(str(low if low < 0 else high))}"
        problems.add(node.mark, "seeds", text)
        return []
    if high < low:
        problems.add(node.mark, "seeds", f"{low}-{high} runs backwards; write {high}-{low}")
        return []
    return [range(low, high + 1)]


def _refuse_overlap(found: list[tuple[range, Node]], problems: Problems) -> None:
    ordered = sorted(found, key=lambda pair: pair[0].start)
    top = -1
    for part, node in ordered:
        if part.start <= top:
            problems.add(node.mark, "seeds", f"seed {part.start} is given twice; keep one of them")
        top = max(top, part.stop - 1)
