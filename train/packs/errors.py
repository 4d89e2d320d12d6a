"""What can be wrong with a pack, or with the disk that it goes to."""

import contextlib
import errno
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from geomem.train.errors import Exit, GeomemError


class PackError(GeomemError):
    """A pack that cannot be trusted. `tensor` is its damaged tensor, None for the file itself.

    lost: whether nothing helps but to train its runs again; sweep: the folder of its sweep, where
    that is known, so that the text can end with the command that does so.
    """

    exit_code = Exit.DAMAGED

    def __init__(
        self,
        path: Path,
        problem: str,
        tensor: str | None = None,
        lost: bool = True,
        sweep: Path | None = None,
    ) -> None:
        self.path, self.problem, self.tensor, self.lost = path, problem, tensor, lost
        text = f"{path}: tensor {tensor}: {problem}" if tensor else f"{path}: {problem}"
        if lost and sweep is not None:
            command = shlex.join(["geomem-train", "verify", str(sweep), "--repair"])
            text += f"; queue its runs again with: {command}"
        super().__init__(text)


@contextlib.contextmanager
def packs_of(sweep: Path | None) -> Iterator[None]:
    """Name the sweep (None where it is not known) in every PackError that is raised inside."""
    try:
        yield
    except PackError as error:
        raise PackError(error.path, error.problem, error.tensor, error.lost, sweep) from error


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DiskError(GeomemError):
    """A file that could not be written. `needed` is its size in bytes, if that is known.

    The text has it where there was no room for so much.
    """

    exit_code = Exit.DISK

    def __init__(self, path: Path, cause: OSError, needed: int | None = None) -> None:
        self.path, self.errno, self.needed = path, cause.errno, needed
        text = f"cannot write {path}: {cause.strerror or cause}"
        if needed is not None and cause.errno in _NO_ROOM:
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
