"""Reading packs: nothing in a file is believed before it is checked."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from geomem.train.packs.errors import PackError, packs_of
from geomem.train.packs.header import DTYPES, MAX_HEADER, MAX_VALUES, Entries, parse_header

CHUNK = 1 << 20
STATUSES = ("done", "diverged")


@dataclass(frozen=True)
class Pack:
    """A pack whose header was checked; its tensors are read, and checked, on demand.

    K members lead every tensor that is not listed as shared. sweep: the folder of the sweep that
    it belongs to, where that is known.
    """

    path: Path
    metadata: dict[str, Any]
    entries: Entries
    data_start: int
    sweep: Path | None = None

    @property
    def members(self) -> list[dict[str, Any]]:
        """Per member: run (id), seed, config, status (done or diverged), steps."""
        members: list[dict[str, Any]] = self.metadata["members"]
        return members

    @property
    def names(self) -> list[str]:
        """Names of the tensors, sorted."""
        return sorted(self.entries)

    @property
    def shared(self) -> list[str]:
        """Names of the tensors that have no leading K."""
        shared: list[str] = self.metadata["shared"]
        return shared

    def shape(self, name: str) -> tuple[int, ...]:
        """Raises PackError if there is no such tensor."""
        self._require(name)
        return self.entries[name].shape

    def tensor(self, name: str) -> npt.NDArray[Any]:
        """A writable copy of one tensor.

        Raises PackError if there is no such tensor, or if its bytes are not those written.
        """
        self._require(name)
        entry = self.entries[name]
        with packs_of(self.sweep):
            return self._read(name).view(DTYPES[entry.dtype]).reshape(entry.shape)

    def _read(self, name: str) -> npt.NDArray[np.uint8]:
        entry = self.entries[name]
        data = np.empty(entry.end - entry.start, np.uint8)
        sha256, filled = hashlib.sha256(), 0
        for chunk in self._chunks(name):
            data[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
            sha256.update(chunk)
            filled += len(chunk)
        if sha256.hexdigest() != self.metadata["sha256"][name]:
            raise PackError(self.path, "damaged: its SHA-256 does not match", name)
        return data

    def damaged(self) -> list[str]:
        """Names of the tensors whose bytes are not those written; needs little memory."""
        return [name for name in self.names if not self._intact(name)]

    def _intact(self, name: str) -> bool:
        sha256 = hashlib.sha256()
        for chunk in self._chunks(name):
            sha256.update(chunk)
        intact: bool = sha256.hexdigest() == self.metadata["sha256"][name]
        return intact

    def _chunks(self, name: str) -> Iterator[bytes]:
        entry = self.entries[name]
        left = entry.end - entry.start
        with _open(self.path) as file:
            file.seek(self.data_start + entry.start)
            while left:
                chunk = file.read(min(left, CHUNK))
                if not chunk:
                    raise PackError(self.path, "the file ends inside it", name)
                left -= len(chunk)
                yield chunk

    def _require(self, name: str) -> None:
        if name not in self.entries:
            problem = f"no tensor {name!r}; it has {', '.join(self.names)}"
            raise PackError(self.path, problem, lost=False)


def open_pack(path: str | os.PathLike[str]) -> Pack:
    """Open a pack and check its header, but not yet its tensors.

    Raises PackError for everything that is not a whole pack of a known format.
    """
    path = Path(path)
    with _open(path) as file:
        size = os.fstat(file.fileno()).st_size
        text = _header_text(path, file, size)
    entries, metadata = check_header(path, text, size - 8 - len(text))
    return Pack(path, metadata, entries, 8 + len(text))


def check_header(path: Path, text: bytes, data_size: int) -> tuple[Entries, dict[str, Any]]:
    """Entries and metadata of a header's JSON before `data_size` bytes of tensors.

    Raises PackError for anything that a writer of packs would not have written.
    """
    if len(text) > MAX_HEADER:
        raise PackError(path, f"a header of {len(text):,} bytes, the limit is {MAX_HEADER:,}")
    if sum(text.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise PackError(path, f"a header of more than {MAX_VALUES:,} values")
    entries, metadata = parse_header(path, text, data_size)
    _check_members(path, entries, metadata)
    return entries, metadata


def _open(path: Path) -> BinaryIO:
    try:
        # Without O_NONBLOCK a named pipe would wait for its other end.
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    except OSError as error:
        # A file that is there but cannot be read, as without permission, is not lost.
        lost = isinstance(error, FileNotFoundError)
        raise PackError(path, error.strerror or str(error), lost=lost) from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise PackError(path, "not a regular file")
    return file


def _header_text(path: Path, file: BinaryIO, size: int) -> bytes:
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise PackError(path, "the file is shorter than its header says")
    if length > MAX_HEADER:
        raise PackError(path, f"a header of {length:,} bytes, the limit is {MAX_HEADER:,}")
    text = file.read(length)
    if len(text) != length:
        raise PackError(path, "the file ends inside its header")
    return text


def _check_members(path: Path, entries: Entries, metadata: dict[str, Any]) -> None:
    members, shared, sha256 = (metadata.get(key) for key in ("members", "shared", "sha256"))
    if not isinstance(members, list) or not members or not all(map(_is_member, members)):
        raise PackError(path, "the metadata has no list of members as expected")
    if not isinstance(shared, list) or not all(isinstance(name, str) for name in shared):
        raise PackError(path, "the metadata has no list of shared tensors")
    if not isinstance(sha256, dict) or set(sha256) != set(entries):
        raise PackError(path, "the metadata has not one SHA-256 for each tensor")
    for name, entry in entries.items():
        if name not in shared and entry.shape[:1] != (len(members),):
            shape = list(entry.shape)
            raise PackError(path, f"shape {shape} does not start with {len(members)} members", name)


def _is_member(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("run"), str)
        and type(value.get("seed")) is int
        and type(value.get("steps")) is int
        and isinstance(value.get("config"), dict)
        and value.get("status") in STATUSES
    )
