"""`status`, `results` and `verify` of sweeps made by the fake worker."""

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
from click.testing import CliRunner
from pyarrow import parquet

from geomem.train.cli import cli
from geomem.train.packs import PackError, open_pack
from geomem.train.sweep.errors import StoreError, UsageError
from geomem.train.sweep.results import final_metrics, flatten, varying
from geomem.train.sweep.store import open_committed
from geomem.train.sweep.table import shown
from geomem.train.sweep.words import duration, number, printable, size
from tests import calls
from tests.train.sweep.helpers import Sweeper, control

call = partial(calls.call, cli)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two rates, four seeds: one run diverged, one stack of two failed."""
    sweeper = Sweeper(tmp_path_factory.mktemp("made"))
    sweeper.write_grid(seeds="0-3", rates="1e-2, 1e-3", stack=2)
    os.environ["FAKE_CONTROL"] = control(diverge=[0], fail=2)
    try:
        assert sweeper.run() == 3
    finally:
        del os.environ["FAKE_CONTROL"]
    return sweeper


@pytest.fixture
def copy(made, tmp_path):
    shutil.copytree(made.out, tmp_path / "sweep")
    shutil.copy(made.grid, tmp_path)
    return Sweeper.at(tmp_path, "sweep")


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


def test_a_plan_that_lost_runs_is_damage_until_the_sweep_runs_again(copy):
    plan = copy.out / "plan.jsonl"
    plan.write_text("".join(plan.read_text().splitlines(keepends=True)[1:]))
    for command in ("results", "verify"):
        with pytest.raises(StoreError, match=r"plan.jsonl: lacks 1 run of those with results"):
            call(command, copy.out)
    copy.run()
    assert len(call("results", copy.out, "--csv").splitlines()) == 1 + 8


def test_an_edited_plan_is_damage_and_does_not_change_the_results(copy):
    plan, before = copy.out / "plan.jsonl", call("results", copy.out)
    lines = plan.read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if '"lr":0.001' in line)
    lines[at] = lines[at].replace('"lr":0.001', '"lr":0.002')
    plan.write_text("".join(lines))
    with pytest.raises(StoreError, match=rf"plan.jsonl:{at + 1}: this line's configuration is not"):
        call("verify", copy.out)
    assert call("results", copy.out) == before


def test_a_sweep_without_its_name_is_damaged(copy):
    (copy.out / "sweep.json").write_text('{"format":1}')
    with pytest.raises(StoreError, match=r"sweep.json: damaged"):
        call("status", copy.out)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("results", "SWEEP", "--parquet", "."), "File '.' is a directory."),
        (("results", "SWEEP", "--parquet", ""), "the path is empty; the current folder is '.'"),
        (("status", ""), "the path is empty"),
        (("sweep", "tiny_graphs", "--out", ""), "the path is empty"),
        (("plan", "tiny_graphs", "--tuning", "SWEEP"), "is a directory."),
        (("tune", "tiny_graphs", "--out", "SWEEP"), "is a directory."),
    ],
)
def test_paths_that_cannot_be_meant(made, words, told):
    words = [str(made.out) if word == "SWEEP" else word for word in words]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_folder_of_sweeps_names_them(made):
    for command in ("status", "results", "verify"):
        with pytest.raises(UsageError, match=r"Give a sweep that it holds: sweep$"):
            call(command, made.tmp)


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
    from geomem.train.sweep.results import Row

    rows = [Row("", "done", 1, {"x": 1, "y": 1}, {}), Row("", "done", 1, {"x": 1, "z": 0}, {})]
    assert varying(rows) == ["y", "z"]


class TestDamage:
    def pack(self, copy):
        return open_pack(copy.folder.packs / next(iter(copy.state.commits.values())).pack)

    def damage(self, copy, kind):
        pack = self.pack(copy)
        data = bytearray(pack.path.read_bytes())
        if kind == "magic":
            data[0] ^= 0xFF
        elif kind == "header":
            data[data.index(b"diverged")] ^= 1
        elif kind == "payload":
            data[-1] ^= 1
        elif kind == "truncated":
            del data[-10:]
        elif kind == "zero tail":
            data[-64:] = bytes(64)
        if kind == "missing":
            pack.path.unlink()
        elif kind == "swapped":
            other = next(path for path in copy.folder.packs.iterdir() if path != pack.path)
            data = other.read_bytes()
        if kind != "missing":
            pack.path.write_bytes(data)
        return pack.path.name

    @pytest.mark.parametrize(
        "kind", ["magic", "header", "payload", "truncated", "zero tail", "missing", "swapped"]
    )
    def test_it_is_found_and_repaired(self, copy, kind):
        expected = copy.tensors()
        name = self.damage(copy, kind)
        text = call("verify", copy.out, code=5)
        assert f"packs/{name}: " in text
        assert "2 packs, " in text
        if kind not in ("payload", "zero tail"):  # `results` reads the measures alone
            remedy = f"; queue its runs again with: geomem-train verify {copy.out} --repair$"
            with pytest.raises(PackError, match=f"{name}: .*{remedy}"):
                call("results", copy.out)
        repaired = call("verify", copy.out, "--repair")
        assert ("it was missing" in repaired) == (kind == "missing")
        assert copy.counts["pending"] == 2
        copy.write_grid(seeds="0-3", rates="1e-2, 1e-3", stack=2)
        copy.run()
        assert copy.tensors() == expected
        assert "all as they were committed" in call("verify", copy.out)
        assert (copy.folder.packs / f"{name}.damaged").exists() == (kind != "missing")

    def test_a_tensor_names_the_remedy(self, copy):
        self.damage(copy, "payload")
        commit = next(iter(copy.state.commits.values()))
        pack = open_committed(copy.folder, commit)
        (tensor,) = pack.damaged()
        with pytest.raises(PackError, match=f"SHA-256 does not match; .* {copy.out} --repair$"):
            pack.tensor(tensor)

    def test_what_a_repair_would_not_help_names_none(self, copy):
        commit = next(iter(copy.state.commits.values()))
        pack = open_committed(copy.folder, commit)
        with pytest.raises(PackError) as info:
            pack.tensor("embeding")
        assert "verify" not in str(info.value)
        pack.path.unlink()
        pack.path.symlink_to(pack.path.name)
        with pytest.raises(PackError, match=r"Too many levels of symbolic links$"):
            call("results", copy.out)

    def test_a_sound_sweep(self, made):
        assert call("verify", made.out).endswith(": all as they were committed\n")

    def test_a_pack_that_nobody_committed(self, copy):
        (copy.folder.packs / f"{'0' * 16}-{'1' * 8}.safetensors").write_bytes(b"left over")
        text = call("verify", copy.out)
        assert "not committed, left by a killed process" in text

    def test_a_garbled_journal(self, copy):
        lines = copy.journal().read_bytes().splitlines(keepends=True)
        lines[1] = b"x" + lines[1]
        copy.journal().write_bytes(b"".join(lines))
        for command in ("status", "results", "verify"):
            with pytest.raises(StoreError, match=r"main\.jsonl:2: "):
                call(command, copy.out)
        with pytest.raises(StoreError):
            copy.run()

    def test_a_damaged_plan_or_description(self, copy):
        for path in (copy.folder.plan, copy.folder.about):
            old = path.read_bytes()
            path.write_bytes(old[:-30])
            with pytest.raises(StoreError, match=path.name):
                call("status", copy.out)
            path.write_bytes(old)

    def test_a_plan_without_runs_that_were_trained(self, copy):
        lines = copy.folder.plan.read_text().splitlines(keepends=True)
        copy.folder.plan.write_text("".join(lines[:1]))
        for command in ("status", "results", "verify"):
            with pytest.raises(StoreError, match=r"plan\.jsonl: lacks 3 runs of those with"):
                call(command, copy.out)

    def test_a_directory_of_a_newer_version(self, copy):
        about = json.loads(copy.folder.about.read_text())
        copy.folder.about.write_text(json.dumps({**about, "format": 2}))
        with pytest.raises(StoreError, match="format 2 of geomem"):
            call("status", copy.out)


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
    assert printable("a\x1b[2Jb\u202e\nc") == "a�[2Jb�\nc"
