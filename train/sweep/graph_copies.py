"""Copies of the files that graphs stand in, so that a sweep's folder goes on wherever it is."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from geomem.train.canonical import canonical_json
from geomem.train.config.graph_file import INDEX, GraphFiles, read_index
from geomem.train.packs import atomic_write, make_folder
from geomem.train.sweep.errors import StoreError, UsageError


def keep_graphs(copies: Path, files: Mapping[str, tuple[str, str]]) -> None:
    """Copy files, given as in `GraphFiles.found`, that are not there yet.

    Raises DiskError, and UsageError for a file that is changed meanwhile.
    """
    if not files:
        return
    make_folder(copies)
    for source, digest in files.values():
        copy = copies / digest
        if not copy.exists():
            atomic_write(copy, _read(Path(source), digest))
    known = read_index(copies)
    index = known | {path: digest for path, (_, digest) in files.items()}
    if index != known:
        atomic_write(copies / INDEX, (canonical_json(index) + "\n").encode())


def check_graphs(copies: Path) -> None:
    """Raise StoreError with a copy that is not the file that its name, a SHA-256, speaks of."""
    files = GraphFiles(str(copies))
    for copy in sorted(copies.glob("[0-9a-f]*")):
        try:
            _, digest = files.find(copy.name)
        except ValueError as error:
            raise StoreError(copy, str(error)) from error
        if digest != copy.name:
            problem = "altered; delete it, and 'sweep' copies it again from where the grid names it"
            raise StoreError(copy, problem)


def _read(source: Path, digest: str) -> bytes:
    data = source.read_bytes() if source.is_file() else b""
    if hashlib.sha256(data).hexdigest() != digest:
        raise UsageError(f"{source} changed while the sweep was started; start it again")
    return data
