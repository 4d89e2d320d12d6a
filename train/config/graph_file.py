"""Files of graphs as grid files name them: found, and told apart by their content."""

import hashlib
import os
import stat

from geomem.train.config.words import show_path


class GraphFiles:
    """Reads each file once; relative paths start at `folder`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._digests: dict[str, str] = {}

    def find(self, path: str) -> tuple[str, str]:
        """The absolute path of a file and its SHA-256; ValueError if it cannot be read."""
        path = os.path.abspath(os.path.join(self._folder, path))
        if path not in self._digests:
            self._digests[path] = _digest(path)
        return path, self._digests[path]


def _digest(path: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ValueError(f"{show_path(path)} is not a file")
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ValueError(f"{show_path(path)} cannot be read: {reason}") from error
