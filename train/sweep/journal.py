"""Append-only files of events: one JSON line each, checked, fsynced, never rewritten."""

import contextlib
import json
import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from geomem.train.canonical import canonical_json
from geomem.train.packs.atomic import failpoint, sync_folder, write_all
from geomem.train.packs.errors import DiskError
from geomem.train.sweep.errors import StoreError
from geomem.train.sweep.events import EVENT, Event

_REMEDY = (
    "restore the file from a copy, or delete this line: the runs that it speaks of are then "
    "trained again"
)


class Journal:
    """The journal of one writer, open for appending. Its owner holds the writer's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        is_new = not path.exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        try:
            self._file = os.open(path, flags, 0o644)
            _mend_tail(self._file, path)
            if is_new:
                sync_folder(path.parent)
        except OSError as error:
            raise DiskError(path, error) from error

    def append(self, event: Event) -> Event:
        """Make an event durable, and return it with its time.

        Raises DiskError if the disk refuses; the journal is then as it was.
        """
        return self.append_all([event])[0]

    def append_all(self, events: Sequence[Event]) -> list[Event]:
        """The same for events that belong together, in one write."""
        now = round(time.time(), 3)
        events = [event.model_copy(update={"time": now}) for event in events]
        lines = b"".join(map(encode, events))
        size = os.fstat(self._file).st_size
        try:
            failpoint("appending", self.path)
            write_all(self._file, lines)
            failpoint("appended", self.path)
            os.fsync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, size)
            raise DiskError(self.path, error, len(lines)) from error
        failpoint("journalled", self.path)
        return events

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def encode(event: Event) -> bytes:
    """The line of an event, with a check sum over the rest of it."""
    body = event.model_dump(mode="json")
    return (canonical_json({**body, "check": _check(body)}) + "\n").encode()


def read_events(journal: Path) -> list[Event]:
    """All events of a sweep, ordered by time.

    An unfinished last line is what a killed writer leaves, and is passed over. Anything else that
    is not an event raises StoreError with file and line.
    """
    try:
        names = sorted(name for name in os.listdir(journal) if name.endswith(".jsonl"))
    except OSError as error:
        raise StoreError(journal, f"cannot be read: {error.strerror}") from error
    events = [event for name in names for event in _read(journal / name)]
    return sorted(events, key=lambda event: event.time)


def _read(path: Path) -> list[Event]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise StoreError(path, error.strerror or str(error)) from error
    tail = lines.pop()
    events = [_decode(path, number, line) for number, line in enumerate(lines, 1)]
    if _is_whole(tail):
        events.append(_decode(path, len(lines) + 1, tail))
    return events


def _decode(path: Path, number: int, line: bytes) -> Event:
    try:
        body = json.loads(line)
        check = body.pop("check")
        if check != _check(body):
            raise StoreError(path, f"this line was altered; {_REMEDY}", number)
        return EVENT.validate_python(body)
    except ValidationError as error:
        problem = f"{error.errors()[0]['loc']}: {error.errors()[0]['msg']}"
        raise StoreError(
            path, f"not an event of this geomem version ({problem})", number
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(path, f"this line is damaged; {_REMEDY}", number) from error


def _check(body: dict[str, Any]) -> str:
    return f"{zlib.crc32(canonical_json(body).encode()):08x}"


def _is_whole(tail: bytes) -> bool:
    # No beginning of a JSON object is itself one: if it parses, only the newline is missing.
    try:
        return isinstance(json.loads(tail), dict)
    except (ValueError, RecursionError):
        return False


def _mend_tail(file: int, path: Path) -> None:
    content = path.read_bytes()
    tail = content[content.rfind(b"\n") + 1 :]
    if not tail:
        return
    if _is_whole(tail):
        os.write(file, b"\n")
    else:
        os.ftruncate(file, len(content) - len(tail))
    os.fsync(file)
