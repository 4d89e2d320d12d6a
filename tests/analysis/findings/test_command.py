"""`geomem-analyze findings`: tables, JSON, the page and its rules."""

import json
import re

import pytest
from click.testing import CliRunner

from geomem.analysis import counting
from geomem.analysis.cli import cli
from geomem.analysis.findings import FINDINGS, Check, judge
from geomem.analysis.findings.measures import RESOLVED
from geomem.analysis.findings.table import as_record, lacks, ours, print_findings, tried
from geomem.analysis.report.findings import findings, write_findings
from geomem.analysis.sweeps import Sweep, open_sweep, open_sweeps
from geomem.train.sweep.errors import UsageError
from tests.analysis.findings.cases import CASES
from tests.analysis.findings.cases_of_paths import tokens
from tests.analysis.findings.packs import STAR, made
from tests.analysis.trained import train_sweep

GRID = """
version: 1
name: {name}
defaults:
  graph: {{kind: path_star, arms: 128, length: 4}}
  task: {{recipe: mixed, target: hardest_token}}
  model: {{kind: transformer, layers: 1, width: 8, heads: 2}}
  optim: {{lr: 1e-2}}
  train: {{steps: 3}}
seeds: {seeds}
execution: {{workers: 1}}
"""


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    """Two sweeps of the same configuration; seed 2 is in both."""
    folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    seeds = ("0-2", "2-4")
    return [
        train_sweep(folder, GRID.format(name=folder.name, seeds=own))
        for folder, own in zip(folders, seeds, strict=True)
    ]


def call(*words, code=0):
    result = CliRunner().invoke(cli, ["findings", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def test_rules_name_every_finding_and_need_no_sweep():
    text = " ".join(call("--rules").stdout.split())
    for finding in FINDINGS:
        assert f"{finding.number} {finding.title}" in text
        assert " ".join(finding.rule.split()) in text
        assert " ".join(finding.paper.split()) in text


def test_several_sweeps_count_as_one_and_every_run_once(sweeps):
    assert len(open_sweep(sweeps[0])) == len(open_sweep(sweeps[1])) == 3
    assert len(open_sweeps(sweeps)) == 5
    alone, both = (json.loads(call(*of, "--json").stdout) for of in (sweeps[:1], sweeps))
    for record, seeds, verdict in ((alone, 3, "not tested"), (both, 5, "not reproduced")):
        (hardest,) = [f for f in record["findings"] if f["number"] == "1c"]
        assert (hardest["verdict"], hardest["checks"][0]["seeds"]) == (verdict, seeds)
    assert (alone["runs"], both["runs"], both["seeds_needed"]) == (3, 5, 5)
    assert hardest["checks"][0]["holds"] is False
    assert hardest["checks"][0]["median"] < 0.9


def test_the_table_tells_verdicts_and_what_is_not_tested(sweeps):
    text = call(*sweeps).stdout
    assert "1c The hardest token" in text
    assert "not reproduced" in text
    assert "5 seeds" in text
    assert "not tested, as runs are missing: 1a " in text
    assert "3 seeds, 5 needed" in call(sweeps[0]).stdout


def test_findings_are_counted_where_that_takes_longer(sweeps, monkeypatch):
    monkeypatch.setattr(counting, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(counting, "LINE_SECONDS", 0.01)
    assert re.match(rf"judged \d+ of {len(FINDINGS)} findings, ", call(*sweeps).stderr)


def test_where_chooses_runs(sweeps):
    record = json.loads(call(*sweeps, "--where", "seed<3", "--json").stdout)
    assert record["runs"] == 3


def test_refusals(sweeps, tmp_path):
    assert "Missing argument 'SWEEP...'" in call(code=2).stderr
    with pytest.raises(UsageError, match="is not a sweep directory"):
        call(sweeps[0], tmp_path)
    with pytest.raises(UsageError, match="no run that has results meets seed=9"):
        call(*sweeps, "--where", "seed=9")


def test_the_page_has_every_finding_that_was_tried(tmp_path):
    members = [member for number in ("1c", "3b", "11") for member in CASES[number](5, None)]
    found = [judge(finding, members) for finding in FINDINGS]
    shown = [judged.finding.number for judged in found if tried(judged)]
    assert {"1c", "3b", "5", "11"} <= set(shown) < set(CASES)
    page = write_findings(Sweep(tmp_path, members), found, tmp_path / "new" / "page.html")
    text = page.read_text()
    assert re.findall('class="finding"><h3>(\\w+) ', text) == shown
    assert "Not tested here: 1a " in text
    assert "{{" not in text
    assert "<script" not in text
    assert text.count('class="verdict reproduced"') == sum(f.verdict == "reproduced" for f in found)


def test_a_page_without_any_run_names_what_is_missing():
    text = findings([], [judge(finding, []) for finding in FINDINGS])
    assert text.startswith('<p class="note">Not tested here: 1a ')


def test_a_record_is_plain_json():
    for finding in FINDINGS:
        record = as_record(judge(finding, CASES[finding.number](5, None)))
        assert json.loads(json.dumps(record, allow_nan=False)) == record
        assert record["verdict"] == "reproduced"


def test_the_table_of_nothing(capsys):
    print_findings([judge(finding, []) for finding in FINDINGS])
    assert "1a In-weights path-star is learned" in capsys.readouterr().out


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_word_is_cut_on_a_narrow_terminal(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    judged = [judge(finding, CASES[finding.number](5, None)) for finding in FINDINGS]
    print_findings(judged)
    text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, text.splitlines())) <= width
    words = set(re.split(r"\s+|=", text))
    for one in judged:
        told = [one.finding.title, one.finding.paper, one.verdict, *(c.what for c in one.checks)]
        assert set(" ".join(told).split()) <= words


def test_what_a_check_lacks_is_told():
    check = Check("what", "median ≥ 1", "runs", (), None)
    few = check._replace(seeds=2)
    assert (ours(check), lacks(check)) == ("no run", "no run")
    assert ours(few) == "0 of 2 seeds with a value, 5 needed"
    assert ours(few._replace(needs="time")) == "0 of 2 seeds with a value (needs time), 5 needed"
    assert ours(few._replace(values=(1.0, 2.0))) == "1.5 [1–2], 2 seeds, 5 needed"
    some = few._replace(values=(1.0, 2.0), seeds=6, needs="time")
    assert ours(some) == "1.5 [1–2], 2 of 6 seeds with a value (needs time), 5 needed"
    enough = check._replace(values=(1.0,) * 5, seeds=6, needs="time")
    assert (ours(enough), lacks(enough)) == ("1, 5 seeds", "")


@pytest.mark.parametrize("number", CASES)
def test_runs_of_too_few_seeds_are_not_told_as_missing(number, capsys):
    (finding,) = [finding for finding in FINDINGS if finding.number == number]
    judged = judge(finding, CASES[number](4, None))
    assert {check["lacks"] for check in as_record(judged)["checks"]} == {"4 seeds, 5 needed"}
    print_findings([judged])
    assert "missing" not in capsys.readouterr().out


def test_too_few_measurements_are_not_told_as_missing_runs():
    early = [made(5, tokens((50, 40, 30)))]
    early.append(
        made(
            5,
            tokens((50, 40, 30)),
            graph={**STAR, "arms": 5},
            task={"kind": "in_context", "teacherless": True},
            train={"path_batch": 8},
        )
    )
    (finding,) = [finding for finding in FINDINGS if finding.number == "1b"]
    for own in early:
        judged = judge(finding, own)
        assert (judged.verdict, tried(judged)) == ("not tested", True)
        told = {lacks(check) for check in judged.checks}
        assert told == {f"0 of 5 seeds with a value (needs {RESOLVED}), 5 needed", "no run"}


def test_only_the_regime_that_was_not_run_is_told_as_missing(capsys):
    (finding,) = [finding for finding in FINDINGS if finding.number == "6"]
    members = [m for m in CASES["6"](3, None) if not m.config["task"]["reverse_paths"]]
    judged = judge(finding, members)
    few = "3 seeds, 5 needed"
    assert [lacks(check) for check in judged.checks] == [few, few, few, "no run"]
    assert judged.verdict == "not tested"
    print_findings([judged])
    assert "missing" not in capsys.readouterr().out
