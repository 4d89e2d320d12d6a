"""The header of a safetensors file: built, and parsed with every bound checked.

A header is 8 bytes of length, then JSON: names with dtype, shape and offsets, and one metadata
key `geomem`, itself canonical JSON. Its `digest` covers names, dtypes, shapes, offsets and the
rest of the metadata with the SHA-256 of each tensor: a pack whose digest and tensors agree is the
pack that was written.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geomem.train.canonical import canonical_json
from geomem.train.packs.errors import PackError

FORMAT = 1
MAX_HEADER = 100_000_000
# A bound on the Python objects that a header can become: each costs some 100 bytes.
MAX_VALUES = 5_000_000
MAX_DIMENSIONS = 8
NAME = re.compile(r"[A-Za-z0-9_]+(?:[./-][A-Za-z0-9_]+)*")
DTYPES = {
    "BOOL": "|b1",
    "U8": "|u1",
    "I8": "|i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
}


@dataclass(frozen=True)
class Entry:
    """One tensor's place; start and end count bytes from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes that dtype and shape ask for."""
        return math.prod(self.shape) * int(DTYPES[self.dtype][-1])


Entries = dict[str, Entry]


def digest(entries: Entries, metadata: dict[str, Any]) -> str:
    """SHA-256 (hex) of everything that a header says, apart from the digest itself."""
    table = {name: [e.dtype, e.shape, e.start, e.end] for name, e in entries.items()}
    rest = {key: value for key, value in metadata.items() if key != "digest"}
    return hashlib.sha256(canonical_json([table, rest]).encode()).hexdigest()


def build_header(entries: Entries, metadata: dict[str, Any]) -> bytes:
    """The bytes before the first tensor, length included, a multiple of 8."""
    header: dict[str, Any] = {"__metadata__": {"geomem": canonical_json(metadata)}}
    for name, e in entries.items():
        header[name] = {"dtype": e.dtype, "shape": e.shape, "data_offsets": [e.start, e.end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def parse_header(path: Path, text: bytes, data_size: int) -> tuple[Entries, dict[str, Any]]:
    """Entries and metadata of a header's JSON, before `data_size` bytes of tensors.

    Raises PackError for anything that `build_header` would not have written.
    """
    header = _parse_object(path, text, "the header")
    metadata = _parse_metadata(path, header.pop("__metadata__", None))
    entries = {name: _parse_entry(path, name, value) for name, value in header.items()}
    _check_places(path, entries, data_size)
    if metadata["digest"] != digest(entries, metadata):
        raise PackError(path, "the header was altered: its digest does not match")
    return entries, metadata


def _parse_object(path: Path, text: str | bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise PackError(path, f"{what} is not usable JSON ({error})") from error
    if not isinstance(value, dict):
        raise PackError(path, f"{what} is not a JSON object")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name occurs twice")
    return value


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not a JSON number")


def _parse_metadata(path: Path, value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("geomem"), str):
        raise PackError(path, "this safetensors file is not a pack: no geomem metadata")
    if len(value) != 1:
        raise PackError(path, "a pack has the one metadata key geomem, this file has more")
    metadata = _parse_object(path, value["geomem"], "the geomem metadata")
    version = metadata.get("format")
    if type(version) is not int or version < 1:
        raise PackError(path, "the metadata has no format version")
    if version > FORMAT:
        by = str(metadata.get("geomem"))[:40]
        problem = f"written by geomem {by} in format {version}, this one reads up to {FORMAT}"
        raise PackError(path, problem, lost=False)
    if not isinstance(metadata.get("digest"), str):
        raise PackError(path, "the metadata has no digest")
    return metadata


def _parse_entry(path: Path, name: str, value: object) -> Entry:
    if len(name) > 200 or not NAME.fullmatch(name):
        raise PackError(path, f"{name[:50]!r} is not allowed as the name of a tensor")
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise PackError(path, "it needs dtype, shape and data_offsets alone", name)
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise PackError(path, f"unknown dtype {str(dtype)[:20]!r}", name)
    if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS:
        raise PackError(path, f"the shape is not a list of up to {MAX_DIMENSIONS} sizes", name)
    if not _are_counts(offsets) or len(offsets) != 2:
        raise PackError(path, "the offsets are not two sizes", name)
    return Entry(dtype, tuple(shape), offsets[0], offsets[1])


def _is_count(value: object) -> bool:
    # A bool is an int to isinstance.
    return type(value) is int and 0 <= value < 2**63


def _are_counts(value: object) -> bool:
    return isinstance(value, list) and all(_is_count(item) for item in value)


def _check_places(path: Path, entries: Entries, data_size: int) -> None:
    position = 0
    for name, e in sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)):
        if e.end - e.start != e.size:
            raise PackError(path, f"{e.dtype}{list(e.shape)} does not fit its offsets", name)
        if e.start != position:
            raise PackError(path, "there is a hole or an overlap before it", name)
        position = e.end
    if position != data_size:
        raise PackError(path, f"{data_size:,} bytes of tensors, the header names {position:,}")
