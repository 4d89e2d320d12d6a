"""`geomem-train export`: what is written, where, and what is refused."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors import safe_open

from geomem.train.cli import cli
from geomem.train.packs import DiskError, atomic_write, open_pack
from geomem.train.sweep import projector
from geomem.train.sweep.errors import UsageError
from geomem.train.sweep.projector import escape, metadata_text
from tests.analysis.trained import train_sweep
from tests.calls import call

GRID = """
version: 1
name: small
defaults:
  graph: {kind: path_star, arms: 4, length: 3}
  task: {recipe: mixed}
  train: {steps: 2, history_every: 1}
  optim: {lr: 1e-2}
grid:
  model:
    - {kind: transformer, layers: 1, width: 8, heads: 2}
    - {kind: transformer, layers: 1, width: 8, heads: 2, tie: false}
seeds: 0-1
runs:
  - graph: {kind: edge_list, path: edges.txt}
    task.recipe: edges_only
    model: {kind: feed_forward, width: 4}
execution: {workers: 1, parameters: true}
"""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    (folder / "edges.txt").write_text("a b\nb c\\d\nc\\d a\n")
    return train_sweep(folder, GRID)


@pytest.fixture(scope="module")
def stored(sweep):
    """Per run: its embedding."""
    packs = [open_pack(path) for path in (sweep / "packs").iterdir()]
    return {
        member["run"]: pack.tensor("embedding")[at]
        for pack in packs
        for at, member in enumerate(pack.members)
    }


def export(sweep, *words, code=0):
    return call(cli, "export", sweep, *words, code=code).splitlines()


def read(path):
    """The arrays of a file and what it says of its runs."""
    if path.endswith(".npz"):
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return arrays, json.loads(str(arrays.pop("geomem")))
    with safe_open(path, "numpy") as file:
        assert list(file.metadata()) == ["geomem"]
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return arrays, json.loads(file.metadata()["geomem"])


@pytest.mark.parametrize("kind", ["safetensors", "npz"])
class TestArrays:
    def test_one_file_per_run(self, sweep, stored, tmp_path, kind):
        files = export(sweep, "--format", kind, "--out", tmp_path / "e")
        assert len(files) == len(set(files)) == len(stored) == 6
        for file in files:
            arrays, about = read(file)
            (run,) = about["runs"]
            np.testing.assert_array_equal(arrays["embedding"], stored[run["run"]])
            assert about["format"] == 1
            assert run["config"]["seed"] == run["seed"]
            assert run["run"][:12] in file
            assert ("unembedding" in arrays) == (not run["config"]["model"]["tie"])
            assert not [n for n in arrays if n.partition("/")[0] in ("metrics", "parameters")]
            assert ("held_out" in arrays) == ("arms" in arrays) == ("node_names" not in run)

    def test_one_file_of_all_chosen(self, sweep, stored, tmp_path, kind):
        words = ["--format", kind, "--out", tmp_path, "--together", "--where", "seed=1"]
        assert export(sweep, *words) == [str(tmp_path / f"embeddings.{kind}")]
        arrays, about = read(str(tmp_path / f"embeddings.{kind}"))
        assert [run["seed"] for run in about["runs"]] == [1, 1, 1]
        for run in about["runs"]:
            found = arrays[f"{run['run'][:12]}/embedding"]
            np.testing.assert_array_equal(found, stored[run["run"]])

    def test_nothing_is_replaced_unasked(self, sweep, tmp_path, kind):
        words = ["--format", kind, "--out", tmp_path]
        (first, *_) = export(sweep, *words, "--where", "graph.kind=edge_list")
        before = Path(first).read_bytes()
        with pytest.raises(UsageError, match="and 1 more would be replaced; use --force"):
            export(sweep, *words)
        assert len(list(tmp_path.iterdir())) == 2
        export(sweep, *words, "--force")
        assert Path(first).read_bytes() == before
        assert len(list(tmp_path.iterdir())) == 6


def test_a_folder_in_the_sweep_is_the_default(sweep, tmp_path):
    shutil.copytree(sweep, tmp_path / "copy")
    (file, *_) = export(tmp_path / "copy")
    assert os.path.dirname(file) == str(tmp_path / "copy" / "export")


class TestProjector:
    def lines(self, path):
        return [line.split("\t") for line in path.read_text().splitlines()]

    def test_a_folder_per_run(self, sweep, stored, tmp_path):
        files = export(sweep, "--format", "tsv", "--out", tmp_path, "--where", "arms=4")
        folders = sorted({os.path.dirname(file) for file in files})
        assert len(folders) == 4
        for folder in folders:
            vectors, metadata = (
                self.lines(tmp_path / folder / f"{n}.tsv") for n in ("vectors", "metadata")
            )
            assert metadata[0] == ["node", "sets", "arm", "run", "seed"]
            assert metadata[1][:3] == ["0", "root", "-"]
            assert metadata[3][:3] == ["2", "leaves", "0"]
            (run,) = [r for r in stored if r.startswith(metadata[1][3])]
            np.testing.assert_array_equal(np.array(vectors, np.float32), stored[run])
            assert len(metadata) == len(vectors) + 1

    def test_runs_together_are_told_apart(self, sweep, tmp_path):
        words = ["--format", "tsv", "--together", "--out", tmp_path]
        assert export(sweep, *words, "--where", "arms=4") == [
            str(tmp_path / "embeddings" / name) for name in ("vectors.tsv", "metadata.tsv")
        ]
        header, *rows = self.lines(tmp_path / "embeddings" / "metadata.tsv")
        assert header[:6] == ["node", "sets", "arm", "run", "seed", "model.tie"]
        assert len(rows) == 4 * 9
        assert {(row[4], row[5]) for row in rows} == {
            (seed, tie) for seed in "01" for tie in ("True", "False")
        }
        with pytest.raises(UsageError, match=r"embeddings of one width, these have 4 and 8"):
            export(sweep, *words, "--force")

    def test_names_of_nodes_are_escaped(self, sweep, tmp_path):
        words = ["--format", "tsv", "--out", tmp_path, "--where", "graph.kind=edge_list"]
        export(sweep, *words)
        files = sorted(tmp_path.glob("*/metadata.tsv"))
        assert [row[0] for row in self.lines(files[0])] == ["node", "a", "b", r"c\\d"]

    def test_a_header_only_above_several_columns(self):
        assert metadata_text(["node"], [["a"], ["b"]]) == "a\nb\n"
        assert metadata_text(["node", "x"], [["a\tb", None]]) == "node\tx\na\\tb\t-\n"
        assert escape("a\r\n\\t") == r"a\r\n\\t"

    def test_more_points_than_the_projector_loads(self, sweep, tmp_path, monkeypatch):
        monkeypatch.setattr(projector, "SHOWN", 8)
        words = [
            "--format",
            "tsv",
            "--out",
            str(tmp_path),
            "--where",
            "seed=0",
            "--where",
            "arms=4",
        ]
        result = CliRunner().invoke(cli, ["export", str(sweep), *words])
        assert result.stderr.count("9 points, of which the projector loads 8") == 2


def test_refusals(sweep, tmp_path):
    for directory, words, problem in (
        (tmp_path, [], "is not a sweep directory"),
        (sweep, ["--where", "knd=mamba"], "no run has this field"),
        (sweep, ["--where", "model.kind=mamba"], "no run that has results meets model.kind=mamba"),
    ):
        with pytest.raises(UsageError, match=problem):
            export(directory, *words, "--out", tmp_path / "e")
    (tmp_path / "file").write_text("in the way")
    export(sweep, "--out", tmp_path / "file", code=2)
    with pytest.raises(DiskError, match="cannot write"):
        export(sweep, "--out", tmp_path / "file" / "deeper")
    export(sweep, "--format", "pickle", code=2)
    assert not (tmp_path / "e").exists()


def test_a_file_is_whole_or_not_there(sweep, tmp_path, monkeypatch):
    def fail(path, data, needed=None):
        def broken(file):
            file.write(b"half")
            raise OSError(28, "No space left on device")

        atomic_write(path, broken)

    monkeypatch.setattr("geomem.train.sweep.bundles.atomic_write", fail)
    for kind in ("safetensors", "npz"):
        with pytest.raises(DiskError, match="No space"):
            export(sweep, "--format", kind, "--out", tmp_path)
    assert list(tmp_path.iterdir()) == []
