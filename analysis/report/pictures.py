"""The figures of a sweep as images inside the page."""

import base64
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from geomem.analysis.figures import Passed, drawn, ignored, left_out
from geomem.analysis.figures.projection import Projection
from geomem.analysis.pictures import encoded
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 130
LARGEST_SVG = 400_000  # bytes; what has more lines than that is smaller as PNG


def pictures(
    members: Sequence[Member], projection: Projection = "pca", passed: Passed = ignored
) -> str:
    """All figures that the members allow, each with its name under it; `passed` as of `drawn`."""
    shown = [picture(name, figure) for name, figure in drawn(members, projection, passed)]
    note = left_out(members)
    return "".join([f'<p class="note">{note}.</p>' if shown and note else "", *shown])


def picture(name: str, figure: "Figure") -> str:
    """A figure as an image of its own, with its name under it; `name` is its id on the page."""
    kind, data = "svg+xml", encoded(figure, "svg", DPI)
    if len(data) > LARGEST_SVG:
        kind, data = "png", encoded(figure, "png", DPI)
    text = escape(name.replace("_", " ").capitalize())
    title = escape(figure.get_suptitle().replace("\n", "; "))
    width = round(figure.get_figwidth() * 96)
    # An image cannot run a script, and its names do not meet those of other figures.
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return (
        f'<figure id="{escape(name)}"><img src="{source}" alt="{text}: {title}" '
        f'style="width:{width}px"><figcaption>{text}</figcaption></figure>'
    )
