"""Copies of the files that graphs stand in."""

from pathlib import Path

import pytest

from geomem.train.config import load_grid, run_id
from geomem.train.sweep.errors import FolderError, UsageError
from geomem.train.sweep.graph_copies import keep_graphs


def test_a_folder_goes_on_elsewhere_without_the_files_of_its_graphs(sweeper, fake):
    edges = sweeper.tmp / "edges.txt"
    edges.write_text("a b\nb c\n")
    text = sweeper.grid.read_text()
    graph = "{kind: path_star, arms: 4, length: 5}"
    sweeper.grid.write_text(text.replace(graph, "{kind: edge_list, path: edges.txt}"))
    fake(full=0)
    with pytest.raises(FolderError):
        sweeper.run()
    fake()
    edges.unlink()
    before = list(sweeper.state.runs)
    moved = sweeper.out.rename(sweeper.tmp / "moved")
    grid = load_grid(moved / "grid.yaml")
    assert {run_id(run) for run in grid.runs} == set(before)
    (copy,) = grid.files.values()
    assert Path(copy[0]).parent == moved / "graphs"
    assert Path(copy[0]).read_text() == "a b\nb c\n"
    keep_graphs(moved / "graphs", grid.files)
    assert len(list((moved / "graphs").iterdir())) == 2


def test_a_file_that_changes_meanwhile_is_told(tmp_path):
    edges = tmp_path / "edges.txt"
    edges.write_text("a b\n")
    with pytest.raises(UsageError, match="changed while the sweep was started"):
        keep_graphs(tmp_path / "graphs", {"edges.txt": (str(edges), "0" * 64)})
