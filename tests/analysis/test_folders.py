"""Folders that cannot be made, as a file is in the way."""

import pytest
from click.testing import CliRunner

from geomem.analysis.cli import cli
from geomem.analysis.sweeps import Sweep
from geomem.train.packs import DiskError
from tests.analysis.made import make_members

NO_PATHS = {"graph": {"kind": "cycle", "nodes": 8}, "task": {"recipe": "edges_only"}}


@pytest.mark.parametrize(
    ("command", "option", "below"),
    [("figures", "--out", ""), ("report", "--out", "x.html"), ("findings", "--html", "x.html")],
)
@pytest.mark.parametrize("deeper", ["", "deeper"])
def test_a_file_in_the_place_of_a_folder_is_told(
    monkeypatch, tmp_path, command, option, below, deeper
):
    sweep = Sweep(tmp_path, make_members(1, **NO_PATHS))
    monkeypatch.setattr("geomem.analysis.sweeps.open_sweep", lambda path: sweep)
    monkeypatch.setattr("geomem.analysis.sweeps.open_sweeps", lambda paths: sweep)
    file = tmp_path / "taken"
    file.write_text("mine")
    out = file / deeper / below
    result = CliRunner().invoke(cli, [command, str(tmp_path), option, str(out)])
    if out == file:
        assert result.exit_code == 2
        assert f"Directory '{file}' is a file." in result.stderr
    else:
        assert isinstance(result.exception, DiskError), result.exception
        assert f"cannot write {file / deeper}: " in str(result.exception)
    assert file.read_text() == "mine"
