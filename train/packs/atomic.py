"""Files that exist whole or not at all, also after a crash."""

import contextlib
import errno
import fnmatch
import os
import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from geomem.train.packs.errors import DiskError

TEMPORARY = ".*.tmp"
"""Glob of the names that unfinished files have."""

Data = bytes | Callable[[BinaryIO], object]


def atomic_write(path: Path, data: Data, needed: int | None = None) -> None:
    """Write a file so that at every instant `path` is absent, the old file or the new one.

    `data` is the content, or a function that writes it to an open binary file; `needed` is its
    size in bytes, for the message of an error. Mode 0644 less the umask.

    Raises DiskError when the disk refuses; what the function itself raises passes through.
    """
    if not path.name:
        raise DiskError(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    needed = len(data) if isinstance(data, bytes) else needed
    try:
        _write_synced(temporary, data)
        os.replace(temporary, path)
        failpoint("renamed", path)
        sync_folder(path.parent)
        failpoint("folder-synced", path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise DiskError(path, error, needed) from error
        raise


def make_folder(folder: Path) -> None:
    """Make the folder and those above it, where they are not there yet. Raises DiskError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(folder, error) from error


def probe_folder(folder: Path) -> None:
    """Write a file there and remove it. Raises OSError.

    Permission bits do not tell about read-only and full disks.
    """
    probe = folder / f".probe.{secrets.token_hex(4)}.tmp"
    probe.write_bytes(b"geomem")
    probe.unlink()


def _write_synced(path: Path, data: Data) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o644), "wb") as file:
        failpoint("opened", path)
        if isinstance(data, bytes):
            file.write(data)
        else:
            data(file)
        file.flush()
        failpoint("written", path)
        os.fsync(file.fileno())
        failpoint("synced", path)


def write_all(descriptor: int, data: bytes) -> None:
    """Write until everything is through: signals and full disks cut writes short."""
    while data:
        data = data[os.write(descriptor, data) :]


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable, where the file system knows how."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def failpoint(step: str, path: Path) -> None:
    """Kill this process here if GEOMEM_FAILPOINT is `step:glob:token`; for tests of crashes.

    The glob is matched with the path, and the file `token` is removed first: it fires once.
    """
    wanted, _, rest = os.environ.get("GEOMEM_FAILPOINT", "").partition(":")
    glob, _, token = rest.rpartition(":")
    if wanted != step or not fnmatch.fnmatch(str(path), glob):
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(token)
        os.kill(os.getpid(), signal.SIGKILL)
