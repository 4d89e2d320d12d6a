"""Templates of pages, and the values that go into them."""

import re
from collections.abc import Mapping
from importlib.resources import files

PLACE = re.compile(r"\{\{(\w+)\}\}")


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values into the places {{name}}; what is put in is not looked at again."""
    return PLACE.sub(lambda place: values[place[1]], template)


def resource(name: str) -> str:
    """The text of a file that stands beside this one."""
    return files("geomem.analysis.report").joinpath(name).read_text(encoding="utf-8")
