"""Files of graphs as grid files name them: found, and told apart by their content."""

import hashlib
import json
import os
import stat

from geomem.train.config.words import show_path

KEPT, INDEX = "graphs", "index.json"
"""Folder beside a sweep's own grid file that holds copies, named by digest, and the list there of
digests by the paths that the grid names."""


class GraphFiles:
    """Reads each file once; relative paths start at `folder`.

    A file that is gone is looked for among the copies that a sweep keeps beside its grid file.
    found: absolute path and SHA-256 by path as written.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.found: dict[str, tuple[str, str]] = {}

    def find(self, path: str) -> tuple[str, str]:
        """The absolute path of a file and its SHA-256; ValueError if it cannot be read."""
        if path not in self.found:
            whole = os.path.abspath(os.path.join(self._folder, path))
            if not os.path.exists(whole):
                whole = self._kept(path) or whole
            self.found[path] = whole, _digest(whole)
        return self.found[path]

    def _kept(self, path: str) -> str | None:
        copies = os.path.abspath(os.path.join(self._folder, KEPT))
        digest = read_index(copies).get(path)
        return None if digest is None else os.path.join(copies, os.path.basename(digest))


def read_index(copies: str | os.PathLike[str]) -> dict[str, str]:
    """Digests by path as written, of the files that a folder holds copies of; empty without any."""
    try:
        with open(os.path.join(copies, INDEX), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {path: digest for path, digest in found.items() if isinstance(digest, str)}


def _digest(path: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ValueError(f"{show_path(path)} is not a file")
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ValueError(f"{show_path(path)} cannot be read: {reason}") from error
