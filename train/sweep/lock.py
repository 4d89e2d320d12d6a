"""One driver per directory, or one per shard: locks that a dead process cannot keep."""

import contextlib
import fcntl
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from geomem.train.packs.errors import DiskError
from geomem.train.sweep.errors import InUseError

_PATIENCE = 0.5
_SHARD = re.compile(r"shard-(\d+)-of-(\d+)\.lock")


@dataclass(frozen=True)
class Shard:
    """Part `index` of `count`, counted from 1."""

    index: int
    count: int

    @property
    def name(self) -> str:
        """The name of the shard's journal, lock and logs."""
        return f"shard-{self.index}-of-{self.count}"


@dataclass(frozen=True)
class Holder:
    """Who works in a directory; `since` as local time."""

    pid: int
    host: str
    since: str
    shard: str | None = None

    def __str__(self) -> str:
        shard = f"{self.shard}, " if self.shard else ""
        return f"{shard}process {self.pid} on {self.host}, since {self.since}"


@contextlib.contextmanager
def drive(journal: Path, shard: Shard | None) -> Iterator[None]:
    """Hold a sweep directory (its journal folder) for one driver, or for one of its shards.

    Raises InUseError with the holder's name.
    """
    with contextlib.ExitStack() as stack:
        main = journal / "main.lock"
        if not stack.enter_context(_locked(main, shared=shard is not None)):
            raise _in_use(holders(journal))
        if shard is not None:
            own = journal / f"{shard.name}.lock"
            if not stack.enter_context(_locked(own)):
                raise _in_use([holder] if (holder := _read(own)) else [])
            others = [h for h in holders(journal) if _count(h) not in (None, shard.count)]
            if others:
                raise _in_use(others, f"; it divides the sweep by {_count(others[0])}")
        yield


@contextlib.contextmanager
def planning(journal: Path) -> Iterator[None]:
    """Let one driver at a time read and change the plan; others wait."""
    with _locked(journal / "plan.lock", wait=True):
        yield


def holders(journal: Path) -> list[Holder]:
    """Drivers at work; empty if there are none. Changes nothing."""
    found = []
    for path in sorted(journal.glob("*.lock")):
        if path.name != "plan.lock" and _is_held(path) and (holder := _read(path)):
            found.append(holder)
    return found


@contextlib.contextmanager
def _locked(path: Path, *, shared: bool = False, wait: bool = False) -> Iterator[bool]:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        raise DiskError(path, error) from error
    try:
        held = _try(path, descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, wait)
        if held and not shared:
            _sign(descriptor)
        yield held
    finally:
        os.close(descriptor)


def _try(path: Path, descriptor: int, kind: int, wait: bool) -> bool:
    # A look by `status` holds the lock for an instant: hence a little patience.
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        except OSError as error:
            raise DiskError(path, error) from error
        else:
            return True


def _sign(descriptor: int) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read(path: Path) -> Holder | None:
    try:
        data = json.loads(path.read_bytes())
        shard = None if path.stem == "main" else path.stem
        return Holder(int(data["pid"]), str(data["host"]), str(data["since"]), shard)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # its writer has the lock since an instant


def _count(holder: Holder) -> int | None:
    match = _SHARD.fullmatch(f"{holder.shard}.lock")
    return int(match[2]) if match else None


def _in_use(found: list[Holder], more: str = "") -> InUseError:
    who = str(found[0]) if found else "another process"
    return InUseError(f"the sweep directory is in use by {who}{more}")
