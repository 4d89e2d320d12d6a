"""Journals: a torn end is mended, anything else that is not as written is refused by line."""

import errno
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomem.train.packs import DiskError
from geomem.train.sweep.errors import StoreError
from geomem.train.sweep.events import Committed, Damaged, Failed, Group, Outcome, Queued, Split
from geomem.train.sweep.journal import Journal, encode, read_events

RUN, STACK, PACK = "a" * 64, "b" * 64, f"{'b' * 16}-{'c' * 8}.safetensors"
EVENTS = [
    Failed(stack=STACK, cause="ValueError: größer\n\u2028", log="logs/worker-1.log", tail="…"),
    Queued(why="retry failed", groups=(Group(stack=STACK, attempt=1, runs=(RUN,)),)),
    Split(stack=STACK, key="{}", members=1, into=(Group(stack=STACK, attempt=0, runs=(RUN,)),)),
    Committed(
        stack=STACK,
        attempt=0,
        pack=PACK,
        size=1,
        digest=RUN,
        sha256={"embedding": RUN},
        members=(Outcome(run=RUN, status="done", steps=3),),
        wall_seconds=0.5,
        member_steps=3,
    ),
    Damaged(stack=STACK, pack=PACK, problem="damaged", kept=None),
]


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "main.jsonl")
    yield journal
    journal.close()


def without_time(events):
    return [event.model_copy(update={"time": 0.0}) for event in events]


def test_events_come_back(journal):
    for event in EVENTS:
        journal.append(event)
    events = read_events(journal.path.parent)
    assert without_time(events) == EVENTS
    assert all(event.time > 1e9 for event in events)


def test_every_event_is_one_line_of_ascii():
    for event in EVENTS:
        line = encode(event)
        assert line.count(b"\n") == 1
        assert line.isascii()


def test_journals_of_all_writers_are_read_in_time(tmp_path):
    for name, time in (("shard-1-of-2", 2.0), ("shard-2-of-2", 1.0)):
        event = EVENTS[0].model_copy(update={"time": time})
        (tmp_path / f"{name}.jsonl").write_bytes(encode(event))
    assert [event.time for event in read_events(tmp_path)] == [1.0, 2.0]


@pytest.mark.parametrize("left", [1, 5, -2, -1])
def test_a_torn_end_is_passed_over_and_mended(journal, left):
    first = journal.append(EVENTS[0])
    size = os.path.getsize(journal.path)
    journal.append(EVENTS[3])
    journal.close()
    os.truncate(journal.path, size + left if left > 0 else os.path.getsize(journal.path) + left)
    whole = 2 if left == -1 else 1  # only the newline is missing
    assert len(read_events(journal.path.parent)) == whole
    journal.__init__(journal.path)
    journal.append(EVENTS[1])
    events = read_events(journal.path.parent)
    assert events[0] == first
    assert len(events) == whole + 1
    assert journal.path.read_bytes().count(b"\n") == whole + 1


def test_zeros_after_a_power_cut(journal):
    journal.append(EVENTS[0])
    with journal.path.open("ab") as file:
        file.write(bytes(4096))
    assert len(read_events(journal.path.parent)) == 1
    journal.close()
    journal.__init__(journal.path)
    assert journal.path.read_bytes().endswith(b"}\n")


def test_a_garbled_line_is_named(journal):
    for event in EVENTS:
        journal.append(event)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"members":1', b'"members":9')
    journal.path.write_bytes(b"".join(lines))
    with pytest.raises(StoreError, match=r"main\.jsonl:3: this line was altered; restore") as info:
        read_events(journal.path.parent)
    assert info.value.exit_code == 5


@pytest.mark.parametrize("line", [b"{", b"", b"[]", b"null", b"\xff\x00", b"[" * 100_000, b"{}"])
def test_lines_that_are_no_events(journal, line):
    journal.append(EVENTS[0])
    with journal.path.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(StoreError, match=r"main\.jsonl:2: "):
        read_events(journal.path.parent)


def test_an_event_of_the_future(journal):
    body = {"event": "teleported", "time": 1.0}
    line = encode(EVENTS[0])
    assert json.loads(line)["check"]
    from geomem.train.sweep.journal import _check

    journal.path.write_text(json.dumps({**body, "check": _check(body)}) + "\n")
    with pytest.raises(StoreError, match="not an event of this geomem version"):
        read_events(journal.path.parent)


def test_a_failed_append_leaves_the_journal_as_it_was(journal, monkeypatch):
    journal.append(EVENTS[0])
    before = journal.path.read_bytes()
    write, room = os.write, iter([10])

    def full(file, data):
        if taken := next(room, 0):
            return write(file, data[:taken])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskError, match=r"No space left on device; \d+ bytes are needed"):
        journal.append(EVENTS[3])
    assert journal.path.read_bytes() == before


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "main.jsonl").symlink_to(tmp_path / "other")
    with pytest.raises(DiskError):
        Journal(tmp_path / "main.jsonl")
    assert not (tmp_path / "other").exists()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_an_altered_journal_never_tells_another_story(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("journal")
    whole = b"".join(map(encode, EVENTS))
    at = data.draw(st.integers(0, len(whole) - 1))
    altered = (
        whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + data.draw(st.integers(0, 3)) :]
    )
    (folder / "main.jsonl").write_bytes(altered)
    try:
        events = read_events(folder)
    except StoreError:
        return
    assert events in (EVENTS, EVENTS[:-1])


def test_a_missing_folder_is_not_an_empty_one(tmp_path):
    with pytest.raises(StoreError, match="journal: cannot be read: No such file"):
        read_events(tmp_path / "journal")


def test_events_that_belong_together_are_one_write(journal, monkeypatch):
    writes = []
    monkeypatch.setattr("geomem.train.sweep.journal.write_all", lambda _, data: writes.append(data))
    found = journal.append_all([EVENTS[3], EVENTS[0]])
    assert writes == [b"".join(map(encode, found))]
    assert without_time(found) == [EVENTS[3], EVENTS[0]]
