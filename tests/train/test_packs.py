"""Packs: what is written comes back; what is not a pack is refused, in bounded memory."""

import contextlib
import errno
import json
import os
import stat
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from geomem.train.packs import DiskError, PackError, atomic_write, open_pack, write_pack

K, N, M = 3, 4, 5


def tensors():
    rng = np.random.default_rng(0)
    return {
        "embedding": rng.standard_normal((K, N, M)).astype(np.float32),
        "edges": np.array([[0, 1], [1, 2]], np.int64),
        "metrics/loss": rng.random((K, 2)).astype(np.float32),
        "flags": np.array([True, False, True]),
        "nothing": np.zeros((K, 0), np.float64),
    }


def metadata(members=K):
    row = {"seed": 0, "status": "done", "steps": 20, "config": {"optim": {"lr": 1e-3}}}
    return {"members": [{"run": f"{k:064x}", **row} for k in range(members)], "shared": ["edges"]}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.safetensors"
    write_pack(path, tensors(), metadata())
    return path


def split(path):
    """The header as an object, and the bytes of the tensors."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(path, header, payload=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + payload)


def contents(path):
    pack = open_pack(path)
    return pack.metadata, {name: pack.tensor(name).tobytes() for name in pack.names}


def test_everything_comes_back(path):
    pack = open_pack(path)
    assert pack.names == sorted(tensors())
    for name, array in tensors().items():
        np.testing.assert_array_equal(pack.tensor(name), array)
        assert pack.tensor(name).dtype == array.dtype
        assert pack.shape(name) == array.shape
    assert pack.members == metadata()["members"]
    assert pack.shared == ["edges"]
    assert pack.damaged() == []


def test_the_library_reads_it_too(path):
    for name, array in load_file(path).items():
        np.testing.assert_array_equal(array, tensors()[name])
    assert split(path)[0]["__metadata__"].keys() == {"geomem"}


def test_transposed_and_big_endian_arrays(tmp_path):
    array = np.arange(12, dtype=">i4").reshape(4, 3).T
    write_pack(tmp_path / "a", {"x": array}, metadata())
    np.testing.assert_array_equal(open_pack(tmp_path / "a").tensor("x"), array)


def test_the_same_content_is_the_same_file(path, tmp_path):
    write_pack(tmp_path / "b", dict(reversed(tensors().items())), metadata())
    assert (tmp_path / "b").read_bytes() == path.read_bytes()


def test_mode_follows_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        atomic_write(tmp_path / "a", b"x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_failing_writer_leaves_the_old_file(tmp_path):
    atomic_write(tmp_path / "a", b"old")
    with pytest.raises(ZeroDivisionError):
        atomic_write(tmp_path / "a", lambda file: (file.write(b"new"), 1 / 0))
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_full_disk_says_how_much_is_needed(tmp_path, monkeypatch, call):
    atomic_write(tmp_path / "a", b"old")

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(DiskError, match="No space left on device; 1,000 bytes are needed") as info:
        atomic_write(tmp_path / "a", bytes(1000))
    monkeypatch.undo()
    assert info.value.exit_code == 74
    assert (tmp_path / "a").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("array", "name", "error"),
    [
        (np.zeros((K, 1), complex), "x", ValueError),
        (np.zeros((K + 1, 1)), "x", PackError),
        (np.zeros((K, 1)), "../x", PackError),
        (np.zeros((K, 1)), "a//b", PackError),
        (np.zeros((K, 1)), "__metadata__", PackError),
    ],
)
def test_what_a_reader_refuses_is_not_written(tmp_path, array, name, error):
    with pytest.raises(error):
        write_pack(tmp_path / "a", {name: array}, metadata())
    assert not list(tmp_path.iterdir())


def test_a_damaged_tensor_is_named(path):
    data = bytearray(path.read_bytes())
    place = data.index(tensors()["embedding"].tobytes())
    data[place + 3] ^= 1
    path.write_bytes(data)
    pack = open_pack(path)
    assert pack.damaged() == ["embedding"]
    with pytest.raises(PackError, match=r"a\.safetensors: tensor embedding: damaged"):
        pack.tensor("embedding")
    np.testing.assert_array_equal(pack.tensor("edges"), tensors()["edges"])


def test_a_file_cut_after_opening(path):
    pack = open_pack(path)
    os.truncate(path, pack.data_start + 8)
    with pytest.raises(PackError, match="ends inside"):
        pack.tensor("metrics/loss")


def test_an_unknown_tensor(path):
    with pytest.raises(PackError, match="no tensor 'embeding'; it has edges, embedding"):
        open_pack(path).tensor("embeding")


def test_a_newer_format_is_refused_by_name(path):
    header, payload = split(path)
    newer = {**json.loads(header["__metadata__"]["geomem"]), "format": 2, "geomem": "9.1"}
    header = {"__metadata__": {"geomem": json.dumps(newer)}, "new": "things"}
    join(path, header, payload)
    with pytest.raises(PackError, match=r"written by geomem 9\.1 in format 2, this one reads up"):
        open_pack(path)


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


def test_the_reader_needs_neither_torch_nor_pydantic():
    code = (
        "import sys, geomem.train.packs;"
        "assert not {'torch', 'pydantic', 'safetensors'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
