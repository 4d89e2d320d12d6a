"""Embeddings and graphs that no sweep made.

n nodes · m embedding width · E edges
"""

import json
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from geomem.analysis.arrays import Floats, Ints
from geomem.train.sweep.errors import UsageError
from geomem.train.sweep.words import listing
from geomem.train.tasks.edge_list import read_edge_list

_USUAL = ("embedding", "embeddings")
_UNNAMED = "its array"
_FLOATS = ("F64", "F32", "F16", "BF16")


class EdgeList(NamedTuple):
    """n nodes with their names, in canonical order; edges int64 [E, 2] by place in that order."""

    n: int
    edges: Ints
    names: tuple[str, ...]


def read_graph(path: str | Path) -> EdgeList:
    """Read a graph: a line holds two names, parted by blanks, a tab or a comma; # starts a comment.

    Nodes are ordered by name, numbers by value. Raises GeomemError with the line of a mistake.
    """
    names, edges = read_edge_list(path)
    return EdgeList(len(names), edges, names)


def read_embeddings(path: str | Path, tensor: str | None = None) -> Floats:
    """Read floats [..., n, m] of any safetensors, npz or npy file; half precision becomes float32.

    tensor: its name; by default "embedding", or the only one that it could be; an npy file has one
    without a name. Raises UsageError, naming those in the file, where there is no such tensor or
    the file is of another kind.
    """
    path = Path(path)
    read = _read_numpy if path.suffix in (".npz", ".npy") else _read_safetensors
    try:
        values = read(path, tensor)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    return values.astype(np.float32) if values.dtype == np.float16 else values


def _read_safetensors(path: Path, tensor: str | None) -> Floats:
    from safetensors import SafetensorError, safe_open

    try:
        with path.open("rb") as file:  # safetensors' own message of a missing file is bare
            length = int.from_bytes(file.read(8), "little")
        with safe_open(path, framework="numpy") as opened:
            kinds = {name: _kind(opened, name) for name in opened.keys()}  # noqa: SIM118
            name = _choose(path, kinds, tensor)
            if kinds[name][0] == "BF16":
                return _read_bfloat16(path, length, name)
            values: Floats = opened.get_tensor(name)
            return values
    except SafetensorError as error:
        kinds_read = "those, .npz and .npy are read"
        raise UsageError(f"{path}: not a safetensors file ({kinds_read}): {error}") from error


def _read_numpy(path: Path, tensor: str | None) -> Floats:
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            arrays = dict(found) if path.suffix == ".npz" else {_UNNAMED: found}
            arrays = {name: array for name, array in arrays.items() if array.dtype.kind == "f"}
    except (ValueError, EOFError, BadZipFile) as error:
        # NumPy's own text advises to unpickle it.
        raise UsageError(f"{path}: not an {path.suffix[1:]} file of nothing but numbers") from error
    kinds = {name: (f"F{8 * array.itemsize}", array.ndim) for name, array in arrays.items()}
    values: Floats = arrays[_choose(path, kinds, tensor)]
    return values


def _kind(opened: object, name: str) -> tuple[str, int]:
    """The type of a tensor, and its number of axes."""
    part = opened.get_slice(name)  # type: ignore[attr-defined]
    return str(part.get_dtype()), len(part.get_shape())


def _choose(path: Path, kinds: dict[str, tuple[str, int]], tensor: str | None) -> str:
    able = [name for name, (dtype, axes) in kinds.items() if dtype in _FLOATS and axes >= 2]
    have = f"it has {listing(sorted(able))}" if able else "it has none of floats [n, m]"
    if tensor is not None:
        if tensor not in able:
            raise UsageError(f"{path}: no tensor {tensor!r} that holds embeddings; {have}")
        return tensor
    if not able:
        raise UsageError(f"{path}: no tensor of floats [n, m], so nothing that embeddings could be")
    usual = [name for name in _USUAL if name in able]
    if not usual and len(able) != 1:
        raise UsageError(f"{path}: name the tensor that holds the embeddings; {have}")
    return (usual or able)[0]


def _read_bfloat16(path: Path, length: int, name: str) -> Floats:
    """NumPy has no bfloat16: it is the upper half of a float32."""
    with path.open("rb") as file:
        file.seek(8)
        entry = json.loads(file.read(length))[name]
        first, end = entry["data_offsets"]
        file.seek(8 + length + first)
        halves = np.frombuffer(file.read(end - first), "<u2").astype(np.uint32)
    values: Floats = (halves << 16).view(np.float32).reshape(entry["shape"])
    return values
