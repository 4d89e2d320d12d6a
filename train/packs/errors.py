"""What can be wrong with a pack, or with the disk that it goes to."""

import os
from pathlib import Path

from geomem.train.errors import GeomemError


class PackError(GeomemError):
    """A pack that cannot be trusted. `tensor` is its damaged tensor, None for the file itself."""

    exit_code = 5

    def __init__(self, path: Path, problem: str, tensor: str | None = None) -> None:
        self.path, self.problem, self.tensor = path, problem, tensor
        where = f"{path}: tensor {tensor}" if tensor else f"{path}"
        super().__init__(f"{where}: {problem}")


class DiskError(GeomemError):
    """A file that could not be written. `needed` is its size in bytes, if that is known."""

    exit_code = 74

    def __init__(self, path: Path, cause: OSError, needed: int | None = None) -> None:
        self.path, self.errno, self.needed = path, cause.errno, needed
        text = f"cannot write {path}: {cause.strerror or cause}"
        if needed is not None:
            text += f"; {needed:,} bytes are needed"
            free = _free_bytes(path)
            text += f", {free:,} are free" if free is not None else ""
        super().__init__(text)


def _free_bytes(path: Path) -> int | None:
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize
