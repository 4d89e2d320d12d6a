"""One driver per directory, or one per shard: locks that a dead process cannot keep."""

import contextlib
import fcntl
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geomem.train.packs.errors import DiskError
from geomem.train.sweep.errors import InUseError

_PATIENCE = 0.5
_SIGN_BYTES = 512
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
class Work:
    """How far a driver is: stacks in training, share of its steps, seconds left where known."""

    stacks: int
    share: float
    seconds_left: float | None


@dataclass(frozen=True)
class Holder:
    """Who works in a directory; `since` as local time, `work` once the driver has told it."""

    pid: int
    host: str
    since: str
    shard: str | None = None
    work: Work | None = None

    def __str__(self) -> str:
        shard = f"{self.shard}, " if self.shard else ""
        return f"{shard}process {self.pid} on {self.host}, since {self.since}"


class Sign:
    """What stands in a lock: who holds it, and how far that one is."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        self._holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        os.ftruncate(descriptor, 0)
        self._write(self._holder)

    def tell(self, work: Work) -> None:
        """Let `holders` know. A disk that refuses is no reason to stop."""
        with contextlib.suppress(OSError):
            self._write({**self._holder, "work": asdict(work)})

    def _write(self, sign: dict[str, Any]) -> None:
        # All are of one length, so that nobody reads the end of a longer one.
        os.pwrite(self._descriptor, json.dumps(sign).encode().ljust(_SIGN_BYTES), 0)


@contextlib.contextmanager
def drive(journal: Path, shard: Shard | None) -> Iterator[Sign]:
    """Hold a sweep directory (its journal folder) for one driver, or for one of its shards.

    Raises InUseError with the holder's name.
    """
    own = journal / f"{shard.name if shard else 'main'}.lock"
    with contextlib.ExitStack() as stack:
        if shard and stack.enter_context(_locked(journal / "main.lock", fcntl.LOCK_SH)) is None:
            raise _in_use(holders(journal))
        descriptor = stack.enter_context(_locked(own))
        if descriptor is None:
            raise _in_use([h for h in holders(journal) if not shard or h.shard == shard.name])
        with _disk(own):
            sign = Sign(descriptor)
        others = [h for h in holders(journal) if shard and _count(h) not in (None, shard.count)]
        if others:
            raise _in_use(others, f"; it divides the sweep by {_count(others[0])}")
        yield sign


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
def _locked(path: Path, kind: int = fcntl.LOCK_EX, *, wait: bool = False) -> Iterator[int | None]:
    """Hold a lock, and give its descriptor; None if another has it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    with _disk(path):
        descriptor = os.open(path, flags, 0o644)
    try:
        with _disk(path):
            held = _try(descriptor, kind, wait)
        yield descriptor if held else None
    finally:
        os.close(descriptor)


def _try(descriptor: int, kind: int, wait: bool) -> bool:
    # A look by `status` holds the lock for an instant: hence a little patience.
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        else:
            return True


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskError(path, error) from error


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
        work = Work(**data["work"]) if "work" in data else None
        return Holder(int(data["pid"]), str(data["host"]), str(data["since"]), shard, work)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # its writer has the lock since an instant


def _count(holder: Holder) -> int | None:
    match = _SHARD.fullmatch(f"{holder.shard}.lock")
    return int(match[2]) if match else None


def _in_use(found: list[Holder], more: str = "") -> InUseError:
    who = str(found[0]) if found else "another process"
    return InUseError(f"the sweep directory is in use by {who}{more}")
