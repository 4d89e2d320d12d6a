"""What is not a pack is refused, in bounded memory, whatever it is."""

import contextlib
import json
import os
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomem.train.packs import PackError, open_pack
from tests.train.packs.samples import K, M, N, contents, join, split


def altered(name, **changes):
    def change(header):
        header[name].update(changes)
        return header

    return change


def renamed(name):
    return lambda header: {name if key == "flags" else key: v for key, v in header.items()}


HOSTILE = {
    "empty": b"",
    "not JSON": b"\x00\x01\x02",
    "not UTF-8": b'{"\xff": 1}',
    "deep": b"[" * 200_000,
    "deep in the metadata": lambda h: {"__metadata__": {"geomem": "[" * 100_000}},
    "a list": b"[]",
    "too many values": b'{"a":[' + b"0," * 5_000_000 + b"0]}",
    "a long number": b'{"a": ' + b"9" * 10_000 + b"}",
    "NaN": b'{"a": NaN}',
    "a name twice": b'{"a": 1, "a": 1}',
    "no metadata": lambda h: {"embedding": h["embedding"]},
    "two metadata keys": altered("__metadata__", more="x"),
    "metadata that is a list": lambda h: {**h, "__metadata__": {"geomem": "[]"}},
    "overlap": altered("embedding", data_offsets=[8, 248]),
    "hole": altered("embedding", data_offsets=[1000, 1240]),
    "backwards": altered("embedding", data_offsets=[240, 0]),
    "negative": altered("embedding", data_offsets=[-240, 0]),
    "beyond the end": altered("embedding", data_offsets=[0, 10**15], shape=[K, 10**14]),
    "huge shape": altered("embedding", shape=[K, 2**70]),
    "shape of booleans": altered("embedding", shape=[True, False]),
    "float shape": altered("embedding", shape=[3.0, 4, 5]),
    "shape that overflows": altered("nothing", shape=[2**62, 0]),
    "other shape": altered("embedding", shape=[K, M, N]),
    "other dtype": altered("embedding", dtype="I32"),
    "unknown dtype": altered("embedding", dtype="F8_E4M3"),
    "extra field": altered("embedding", pickle=1),
    "dots in a name": renamed("../../x"),
    "newline in a name": renamed("x\ny"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_headers(path, case):
    header, payload = split(path)
    hostile = HOSTILE[case]
    join(path, hostile if isinstance(hostile, bytes) else hostile(header), payload)
    tracemalloc.start()
    try:
        with pytest.raises(PackError):
            open_pack(path)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("length", [2**64 - 1, 2**63, 10**15, 100_000_001, 10_000, 7])
def test_lengths_that_lie(path, length):
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(PackError):
        open_pack(path)


def test_a_header_over_the_limit(path):
    with path.open("r+b") as file:
        file.write((100_000_001).to_bytes(8, "little"))
        file.truncate(200_000_000)
    with pytest.raises(PackError, match="the limit is 100,000,000"):
        open_pack(path)


def test_a_full_size_file_of_zeros(path):
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(PackError):
        open_pack(path)


def test_things_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "absent", tmp_path / "pipe"):
        with pytest.raises(PackError):
            open_pack(place)


def mutate(data, draw):
    """One change as files suffer it: bits, runs, cuts, insertions, exchanges."""
    kind = draw(st.sampled_from(["flip", "set", "cut", "insert", "drop", "swap", "zero tail"]))
    at = draw(st.integers(0, len(data) - 1))
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) + data[at + 1 :]
    if kind == "set":
        return data[:at] + draw(st.binary(min_size=1, max_size=9)) + data[at + 9 :]
    if kind == "cut":
        return data[:at]
    if kind == "insert":
        return data[:at] + draw(st.binary(min_size=1, max_size=40)) + data[at:]
    if kind == "drop":
        return data[:at] + data[at + draw(st.integers(1, 40)) :]
    if kind == "zero tail":
        return data[:at] + bytes(len(data) - at)
    low, high = sorted((at, draw(st.integers(0, len(data) - 1))))
    return data[:low] + data[high:] + data[low:high]


many = settings(
    max_examples=2500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@many
@given(st.data())
def test_a_mutated_pack_is_the_same_or_refused(path, data):
    expected = contents(path)
    mutant = path.with_name("mutant")
    mutant.write_bytes(mutate(path.read_bytes(), data.draw))
    with contextlib.suppress(PackError):
        assert contents(mutant) == expected


@many
@given(st.data())
def test_a_mutated_header_with_its_length_kept_right(path, data):
    header, payload = split(path)
    expected = contents(path)
    mutant = path.with_name("mutant")
    join(mutant, mutate(json.dumps(header).encode(), data.draw), payload)
    with contextlib.suppress(PackError):
        assert contents(mutant) == expected
