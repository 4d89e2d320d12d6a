"""Figures of matplotlib as bytes and as files."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from geomem.train.packs import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def encoded(figure: "Figure", suffix: str, dpi: int) -> bytes:
    """The figure as png, svg or pdf; the same figure gives the same png and svg."""
    from matplotlib import rc_context

    # No date, no random names.
    metadata = {"Date": None} if suffix == "svg" else {}
    with rc_context({"svg.hashsalt": "geomem"}):
        out = BytesIO()
        figure.savefig(out, format=suffix, dpi=dpi, metadata=metadata)
    return out.getvalue()


def save_picture(figure: "Figure", path: Path, dpi: int) -> None:
    """Write the figure as the path's suffix says, whole or not at all. Raises DiskError."""
    atomic_write(path, encoded(figure, path.suffix[1:], dpi))
