"""`status`, and what every command has to say about the path that it is given."""

import json
from functools import partial

import pytest
from click.testing import CliRunner

from geomem.train.cli import cli
from geomem.train.sweep.errors import UsageError
from tests import calls
from tests.train.sweep.helpers import control

call = partial(calls.call, cli)


def test_status(made):
    text = call("status", made.out)
    assert text.splitlines()[:2] == [f"tiny  {made.out}", "  8 runs: 2 done, 2 diverged, 4 failed"]
    assert "4 stacks: 2 committed, 2 failed" in text
    assert "4 runs failed: ValueError: this run cannot be trained (logs/worker-" in text


def test_status_for_programs(made):
    found = json.loads(call("status", made.out, "--json"))
    assert found["runs"] == {"done": 2, "diverged": 2, "failed": 4, "pending": 0}
    assert found["failures"][0]["runs"] == 4
    assert found["packs"]["count"] == 2
    assert found["drivers"] == []
    assert found["next"] == f"geomem-train sweep {made.grid} --out {made.out} --retry failed"


def test_status_tells_how_to_go_on(copy, monkeypatch):
    copy.write_grid(seeds="0-9", rates="1e-2, 1e-3", stack=2, workers=1)
    monkeypatch.setenv("FAKE_CONTROL", control(full=5))
    with pytest.raises(Exception, match="No space"):
        copy.run()
    found = json.loads(call("status", copy.out, "--json"))
    assert found["runs"]["pending"] >= 8
    assert found["next"] == f"geomem-train sweep {copy.grid} --out {copy.out}"
    assert found["next"] in call("status", copy.out)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("results", "SWEEP", "--parquet", "."), "File '.' is a directory."),
        (("results", "SWEEP", "--parquet", ""), "the path is empty; the current folder is '.'"),
        (("status", ""), "the path is empty"),
        (("sweep", "tiny_graphs", "--out", ""), "the path is empty"),
        (("plan", "tiny_graphs", "--tuning", "SWEEP"), "is a directory."),
        (("tune", "tiny_graphs", "--out", "SWEEP"), "is a directory."),
        (("sweep", "tiny_graphs", "--out", "FILE"), "is a file."),
        (("export", "SWEEP", "--out", "FILE"), "is a file."),
    ],
)
def test_paths_that_cannot_be_meant(made, words, told):
    paths = {"SWEEP": str(made.out), "FILE": str(made.grid)}
    words = [paths.get(word, word) for word in words]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_folder_of_sweeps_names_them(made):
    for command in ("status", "results", "verify"):
        with pytest.raises(UsageError, match=r"Give a sweep that it holds: sweep$"):
            call(command, made.tmp)
