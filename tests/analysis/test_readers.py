"""Embeddings and graphs from elsewhere."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from geomem.analysis import read_embeddings, read_graph
from geomem.analysis.geometry import geometric_level
from geomem.train.errors import GeomemError

TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"wte": TABLE, "bias": TABLE[0], "steps": np.arange(4)}, path)
    return path


def test_the_only_candidate_is_taken(file):
    np.testing.assert_array_equal(read_embeddings(file), TABLE)


def test_the_usual_name_and_a_given_one(tmp_path):
    path = tmp_path / "two.safetensors"
    save_file({"embedding": TABLE, "other": TABLE + 1}, path)
    np.testing.assert_array_equal(read_embeddings(path), TABLE)
    np.testing.assert_array_equal(read_embeddings(path, "other"), TABLE + 1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_every_precision(tmp_path, dtype):
    path = tmp_path / "half.safetensors"
    table = torch.from_numpy(TABLE).to(dtype) / 8
    save_torch({"first": torch.zeros(3), "wte": table}, path)
    found = read_embeddings(path)
    assert found.dtype == (np.float64 if dtype == torch.float64 else np.float32)
    np.testing.assert_array_equal(found, table.double().numpy())


def test_numpy_files(tmp_path):
    np.save(tmp_path / "one.npy", TABLE.astype(np.float16))
    np.savez(tmp_path / "some.npz", embedding=TABLE, other=TABLE + 1, steps=np.arange(4))
    np.savez(tmp_path / "exported.npz", **{"0123/embedding": TABLE, "geomem": np.array("{}")})
    for name, tensor, expected in (
        ("one.npy", None, TABLE),
        ("some.npz", None, TABLE),
        ("some.npz", "other", TABLE + 1),
        ("exported.npz", None, TABLE),
    ):
        found = read_embeddings(tmp_path / name, tensor)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)


def test_refusals_of_numpy_files(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    np.save(tmp_path / "whole.npy", np.arange(4).reshape(2, 2))
    np.savez(tmp_path / "some.npz", a=TABLE, b=TABLE, bias=TABLE[0])
    (tmp_path / "text.npz").write_text("nothing of that kind")
    (tmp_path / "empty.npy").touch()
    for name, tensor, problem in (
        ("objects.npy", None, r"objects\.npy: not an npy file of nothing but numbers$"),
        ("whole.npy", None, r"no tensor of floats \[n, m\]"),
        ("some.npz", None, "name the tensor that holds the embeddings; it has a and b"),
        ("some.npz", "bias", "no tensor 'bias' that holds embeddings; it has a and b"),
        ("text.npz", None, r"text\.npz: not an npz file of nothing but"),
        ("empty.npy", None, r"empty\.npy: not an npy file of nothing but"),
        ("absent.npy", None, r"absent\.npy: No such file"),
    ):
        with pytest.raises(GeomemError, match=problem):
            read_embeddings(tmp_path / name, tensor)


def test_refusals(file, tmp_path):
    two = tmp_path / "two.safetensors"
    save_file({"a": TABLE, "b": TABLE}, two)
    text = tmp_path / "text.safetensors"
    text.write_text("nothing of that kind")
    for path, name, problem in (
        (two, None, "name the tensor that holds the embeddings; it has a and b"),
        (file, "bias", "no tensor 'bias' that holds embeddings; it has wte"),
        (tmp_path / "absent", None, "absent: No such file"),
        (text, None, "text.safetensors: not a safetensors file"),
    ):
        with pytest.raises(GeomemError, match=problem):
            read_embeddings(path, name)


def test_a_graph_and_its_embeddings(tmp_path):
    path = tmp_path / "edges.txt"
    path.write_text("10 2\n2, 1\n# none\n")
    graph = read_graph(path)
    assert graph.names == ("1", "2", "10")
    assert graph.edges.tolist() == [[2, 1], [1, 0]]
    assert geometric_level(np.array([[1.0, 0], [1, 0], [0, 1]]), graph.edges) == 0.5
    path.write_text("1 2 3\n")
    with pytest.raises(GeomemError, match=r"edges\.txt:1"):
        read_graph(path)
