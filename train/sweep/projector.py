"""Embeddings for TensorBoard's projector: vectors.tsv and metadata.tsv.

The projector takes the first line of metadata for a header if, and only if, there is more than one
column.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from geomem.train.packs import atomic_write, make_folder
from geomem.train.sweep.bundles import Chosen
from geomem.train.sweep.errors import UsageError
from geomem.train.sweep.results import Row, flatten, telling

VECTORS, METADATA = "vectors.tsv", "metadata.tsv"
SHOWN = 100_000
"""Points that the projector loads; it leaves out the rest."""
_NO_SETS = ("edges", "arms", "paths", "embedding", "special_embedding", "unembedding", "held_out")


def write_projector(folder: Path, runs: Sequence[Chosen]) -> int:
    """Write both files, a line per node and run; return the number of lines.

    Metadata columns: node, its sets, the arm that it lies on, the run's id and seed, and the
    fields in which the runs differ. Raises UsageError unless all embeddings have one width.
    """
    tensors = [run.tensors() for run in runs]
    widths = sorted({found["embedding"].shape[1] for found in tensors})
    if len(widths) > 1:
        text = " and ".join(map(str, widths))
        raise UsageError(f"one file needs embeddings of one width, these have {text}; use --where")
    fields = [flatten(run.about["config"]) for run in runs]
    varying = telling([Row("", "done", None, found, {}) for found in fields])
    header = ["node", "sets", "arm", "run", "seed", *varying]
    lines = []
    for run, found, of in zip(runs, tensors, fields, strict=True):
        same = [run.short, of["seed"], *(of.get(name) for name in varying)]
        lines += [[*node, *same] for node in _nodes(run, found)]
    make_folder(folder)
    atomic_write(folder / VECTORS, _vectors([found["embedding"] for found in tensors]))
    atomic_write(folder / METADATA, metadata_text(header, lines).encode())
    return len(lines)


def metadata_text(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Tab-separated text; tabs, line breaks and backslashes inside a cell are escaped."""
    rows = [[escape(cell) for cell in line] for line in lines]
    rows = [[escape(name) for name in header], *rows] if len(header) > 1 else rows
    return "".join("\t".join(row) + "\n" for row in rows)


def escape(cell: Any) -> str:
    """A cell's text without what would end it: \\t, \\n and \\r stand for themselves."""
    text = "" if cell is None else str(cell).replace("\\", "\\\\")
    text = text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    # The projector takes an empty line for the end of the file.
    return text or "-"


def _nodes(run: Chosen, tensors: dict[str, NDArray[Any]]) -> Iterable[tuple[str, str, Any]]:
    n = len(tensors["embedding"])
    names = run.about.get("node_names") or [str(i) for i in range(n)]
    sets: list[list[str]] = [[] for _ in range(n)]
    for name, members in tensors.items():
        if name not in _NO_SETS and members.ndim == 1:
            for node in members:
                sets[node].append(name)
    arm = np.full(n, -1)
    if "arms" in tensors:
        arm[tensors["arms"][:, 1:]] = np.arange(len(tensors["arms"]))[:, None]
    return ((names[i], ",".join(sets[i]), None if arm[i] < 0 else int(arm[i])) for i in range(n))


def _vectors(embeddings: Sequence[NDArray[Any]]) -> Callable[[BinaryIO], object]:
    def write(file: BinaryIO) -> None:
        for embedding in embeddings:
            np.savetxt(file, embedding, fmt="%.9g", delimiter="\t")  # 9 digits hold a float32

    return write
