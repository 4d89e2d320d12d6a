"""`results` of sweeps made by the fake worker."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from pyarrow import parquet

from geomem.train.cli import cli
from geomem.train.sweep.errors import UsageError
from geomem.train.sweep.results import Row, as_records, final_metrics, flatten, varying
from geomem.train.sweep.store import open_committed
from geomem.train.sweep.table import print_table, shown
from geomem.train.sweep.words import duration, number, printable, size
from tests import calls

call = partial(calls.call, cli)


def test_the_table_has_one_line_per_configuration(made):
    lines = call("results", made.out).splitlines()
    assert lines[0].split() == [
        *("lr", "runs", "done", "diverged", "failed", "loss"),
    ]
    assert [line.split()[:5] for line in lines[2:]] == [
        ["0.01", "4", "1", "1", "2"],
        ["0.001", "4", "1", "1", "2"],
    ]


def test_csv_has_every_run_and_field(made):
    rows = list(csv.DictReader(io.StringIO(call("results", made.out, "--csv"))))
    assert len(rows) == 8
    assert list(rows[0])[:5] == ["run", "status", "steps", "optim.lr", "seed"]
    assert rows[0]["status"] == "diverged"
    assert rows[0]["model.kind"] == "transformer"
    assert rows[0]["optim.betas"] == "[0.9, 0.999]"
    assert rows[0]["target_accuracy.1"] == "0.75"
    assert float(rows[0]["loss"]) > 0
    assert rows[2]["status"] == "failed"
    assert rows[2]["loss"] == rows[2]["steps"] == ""


def test_json_and_parquet_say_the_same(made, tmp_path):
    records = json.loads(call("results", made.out, "--json"))
    file = tmp_path / "new" / "r.parquet"
    assert call("results", made.out, "--parquet", file) == f"{file}\n"
    assert parquet.read_table(file).to_pylist() == records
    assert records[1]["seed"] == 1
    assert records[2]["loss"] is None


def test_parquet_without_pyarrow(made, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="pip install pyarrow"):
        call("results", made.out, "--parquet", tmp_path / "r.parquet")


@pytest.mark.parametrize("to", ["full", "latin"])
def test_stdout_may_be_full_or_know_few_letters(made, to, tmp_path):
    command = [sys.executable, "-m", "geomem.train.cli", "status", str(made.out)]
    if to == "full":
        with open("/dev/full", "w") as full:
            found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
        assert found.returncode == 74
        assert found.stderr == "error: standard output: No space left on device\n"
        return
    copied = shutil.copytree(made.out, tmp_path / "sweep")
    about = copied / "sweep.json"
    about.write_text(about.read_text().replace('"tiny"', '"größe ☃"'))
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    command[-1] = str(copied)
    found = subprocess.run(command, capture_output=True, env=environment)
    assert found.returncode == 0
    assert "größe \\u2603" in found.stdout.decode("latin-1")


def test_columns_of_mixed_types_become_text(copy, tmp_path):
    copy.write_grid(seeds="0-3", rates="1e-2, 1e-3")
    text = copy.grid.read_text().replace("grid: {", "grid: {train.edge_batch: [all, 8], ")
    copy.grid.write_text(text)
    copy.run()
    call("results", copy.out, "--parquet", tmp_path / "r.parquet")
    column = parquet.read_table(tmp_path / "r.parquet")["train.edge_batch"].to_pylist()
    assert sorted(set(column)) == ["8", "all"]


def test_a_later_attempt_replaces_the_result(copy):
    before = {r["run"]: r for r in json.loads(call("results", copy.out, "--json"))}
    assert copy.run(retry=("failed", "diverged")) == 0
    after = {r["run"]: r for r in json.loads(call("results", copy.out, "--json"))}
    assert {row["status"] for row in after.values()} == {"done"}
    changed = {run for run in before if before[run] != after[run]}
    assert len(changed) == 6


def test_the_last_finite_value_counts(made):
    commit = next(iter(made.state.commits.values()))
    pack = open_committed(made.folder, commit)
    loss = pack.tensor("metrics/loss")
    assert np.isnan(loss[:, -1]).all()
    assert [m["loss"] for m in final_metrics(pack)] == loss[:, 1].tolist()


def test_flatten_and_varying():
    assert flatten({"a": {"b": 1, "c": [1, 2], "d": None}, "e": 0, "absent": None}) == {
        "a.b": 1,
        "a.c": "[1, 2]",
        "a.d": None,
        "e": 0,
    }
    rows = [Row("", "done", 1, {"x": 1, "y": 1}, {}), Row("", "done", 1, {"x": 1, "z": 0}, {})]
    assert varying(rows) == ["y", "z"]


def _file_row(folder, name, digest, **more):
    fields = {"graph.path": f"/data/{folder}/{name}", "graph.sha256": 8 * digest} | more
    return Row("", "done", 1, fields, {"loss": 1.0})


A, B = "0123abcd", "0123abce"


@pytest.mark.parametrize(
    ("rows", "columns", "cells"),
    [
        # another field tells the files apart
        ([_file_row("x", "a", A, width=1), _file_row("x", "b", B, width=2)], ["width"], ["1", "2"]),
        ([_file_row("x", "a", A), _file_row("x", "b", B)], ["path"], ["a", "b"]),
        ([_file_row("x/y", "a", A), _file_row("z", "a", B)], ["path"], ["x/y/a", "z/a"]),
        ([_file_row("x", "a", A), _file_row("x", "a", B)], ["sha256"], [A, B]),
        ([_file_row("x", "a", A), _file_row("x", "a", A)], [], []),
    ],
)
def test_files_of_graphs_are_columns_only_where_nothing_else_tells(capsys, rows, columns, cells):
    print_table(rows)
    head, _, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == [*columns, "runs", "done", "loss"]
    assert [line.split()[0] for line in lines if columns] == cells
    assert {"graph.path", "graph.sha256"} < set(as_records(rows)[0])


def test_digests_that_begin_alike_are_shown_whole(capsys):
    one, other = (_file_row("x", "a", A) for _ in "ab")
    other.fields["graph.sha256"] = A + 7 * B
    print_table([one, other])
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == [8 * A, A + 7 * B]


def test_a_table_of_no_run(capsys):
    print_table([])
    assert capsys.readouterr().out.split()[:2] == ["runs", "done"]


def test_values_in_a_table():
    values = (0.004, 1e10, 1e-05, 1.0, 0.12345678, 12, True, None, "all")
    assert [shown(value) for value in values] == [
        *("0.004", "1e+10", "1e-05", "1", "0.12345678", "12", "true", "–", "all"),
    ]


def test_words():
    assert [number(v) for v in (0.1234, 12.345, 123.4, 12345.6)] == [
        "0.123",
        "12.3",
        "123",
        "12,346",
    ]
    assert [duration(s) for s in (0.04, 59.7, 61, 3601, 90061)] == [
        *("0.0 s", "1 min 0 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"),
    ]
    assert [size(n) for n in (999, 1000, 12_345_678)] == ["999 B", "1 kB", "12.3 MB"]
    assert [size(10**n) for n in (15, 19)] == ["1 PB", "10 EB"]
    assert printable("a\x1b[2Jb\u202e\nc") == "a�[2Jb�\nc"
