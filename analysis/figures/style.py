"""What all figures share: colours that the colour-blind can tell apart, and frames."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, without the yellow that white paper swallows.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", ":", "-.")
INK, PALE = "#333333", "#b8b8b8"
MAX_PANELS = 16
LEAST_WIDTH, LEAST_HEIGHT = 4.5, 3.2  # inches, so that a title and a legend find room
LEGEND_ROW, LEGEND_ROWS = 0.19, 3  # inches; rows that every figure has room for
LEGEND_LINE = 0.6  # inches; what stands before a label, and between columns
TITLE_LETTERS, LEGEND_LETTERS = 12, 15  # per inch


def frame(
    rows: int, columns: int, width: float, height: float, **options: Any
) -> "tuple[Figure, list[Axes]]":
    """A figure of rows x columns panels, each of a width and height in inches."""
    # A figure without pyplot keeps no global state and needs no display.
    from matplotlib.figure import Figure

    size = max(LEAST_WIDTH, width * columns), max(LEAST_HEIGHT, height * rows)
    figure = Figure(figsize=size, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **options).ravel())


def flow(
    count: int, columns: int, width: float, height: float, **options: Any
) -> "tuple[Figure, list[Axes]]":
    """A frame of `count` panels, row after row; the places that stay empty are removed."""
    columns = min(columns, count)
    figure, axes = frame(-(-count // columns), columns, width, height, **options)
    for ax in axes[count:]:
        ax.remove()
    return figure, axes[:count]


def line_style(at: int) -> dict[str, Any]:
    """Colour and dashes of the line number `at`: no two of the first 28 are alike."""
    return {
        "color": COLOURS[at % len(COLOURS)],
        "linestyle": DASHES[at // len(COLOURS) % len(DASHES)],
    }


def folded(*lines: str, letters: int = 34) -> str:
    """Lines that are no longer than a panel is wide."""
    return "\n".join(part for line in lines for part in textwrap.wrap(line, letters))


def legend_below(figure: "Figure", axes: "Sequence[Axes]", columns: int = 4) -> None:
    """One legend for all panels, under them; of equal labels the first.

    A long one makes the figure higher, not its panels smaller; labels longer than the figure is
    wide are folded, as what tells them apart may be their last word.
    """
    found: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    room = int((figure.get_figwidth() - LEGEND_LINE) * LEGEND_LETTERS)
    texts = [folded(label, letters=room) for label in found]
    lines = [line for text in texts for line in text.split("\n")]
    each = LEGEND_LINE + max(map(len, lines)) / LEGEND_LETTERS
    columns = max(1, min(columns, len(found), int(figure.get_figwidth() / each)))
    rows = -(-len(lines) // columns)
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * max(0, rows - LEGEND_ROWS))
    figure.legend(
        found.values(),
        texts,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=8,
    )


def title(figure: "Figure", text: str, shown: int, of: int) -> None:
    """The figure's title, which says so if there is more than it shows."""
    lines = textwrap.wrap(text, int(figure.get_figwidth() * TITLE_LETTERS))
    if of > shown:
        lines.append(f"the first {shown} of {of:,} configurations; choose others with --where")
    figure.suptitle("\n".join(lines), fontsize=10)
