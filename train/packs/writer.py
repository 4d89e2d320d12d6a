"""Writing packs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from geomem.train.packs.atomic import atomic_write
from geomem.train.packs.header import DTYPES, FORMAT, Entries, Entry, build_header, digest
from geomem.train.packs.reader import check_header

_NAMES = {np.dtype(text): name for name, text in DTYPES.items()}


@dataclass(frozen=True)
class PackInfo:
    """What proves a pack: its size in bytes, the digest of its header, SHA-256 per tensor."""

    size: int
    digest: str
    sha256: dict[str, str]


def write_pack(
    path: Path, tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, Any]
) -> PackInfo:
    """Write a pack atomically and durably.

    `metadata` has at least `members` (run, seed, config, status, steps of each of the K members)
    and `shared` (names of tensors without a leading K); format, geomem version, sha256 and digest
    are added.

    Raises PackError for what a reader would refuse, DiskError when the disk does.
    """
    arrays = {name: _little_endian(array) for name, array in tensors.items()}
    # The widest first: every tensor is aligned in the file, as the safetensors library does it.
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    entries = _lay_out(names, arrays)
    sha256 = {name: hashlib.sha256(_bytes(arrays[name])).hexdigest() for name in names}
    whole = {**metadata, "format": FORMAT, "geomem": geomem_version(), "sha256": sha256}
    whole["digest"] = digest(entries, whole)
    header = build_header(entries, whole)
    data_size = sum(entry.size for entry in entries.values())
    check_header(path, header[8:], data_size)

    def write(file: BinaryIO) -> None:
        file.write(header)
        for name in names:
            file.write(_bytes(arrays[name]))

    size = len(header) + data_size
    atomic_write(path, write, size)
    return PackInfo(size, whole["digest"], sha256)


def _little_endian(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array = np.asarray(array, order="C")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _bytes(array: npt.NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _lay_out(names: list[str], arrays: Mapping[str, npt.NDArray[Any]]) -> Entries:
    entries, position = {}, 0
    for name in names:
        array = arrays[name]
        if array.dtype not in _NAMES:
            raise ValueError(f"tensor {name}: a pack cannot hold {array.dtype}")
        end = position + array.nbytes
        entries[name] = Entry(_NAMES[array.dtype], array.shape, position, end)
        position = end
    return entries


def geomem_version() -> str:
    """The version, "unknown" where the source runs without being installed."""
    try:
        return version("geomem")
    except PackageNotFoundError:
        return "unknown"
