"""Packs: what is written comes back, and the file is there whole or not at all."""

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from geomem.train.packs import DiskError, PackError, atomic_write, open_pack, write_pack
from tests.train.packs.samples import K, join, metadata, split, tensors


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


def test_a_file_without_a_name_cannot_be_written():
    with pytest.raises(DiskError, match="Is a directory"):
        atomic_write(Path("."), b"")


def test_only_a_full_disk_says_how_much_is_needed(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DiskError, match=r"a: Permission denied$"):
        atomic_write(tmp_path / "a", bytes(1000))


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


def test_the_reader_needs_neither_torch_nor_pydantic():
    code = (
        "import sys, geomem.train.packs;"
        "assert not {'torch', 'pydantic', 'safetensors'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
