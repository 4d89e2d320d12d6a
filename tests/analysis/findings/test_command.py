"""`geomem-analyze findings`: tables, JSON, the page and its rules."""

import json
import re

import pytest
from click.testing import CliRunner

from geomem.analysis.cli import cli
from geomem.analysis.findings import FINDINGS, judge
from geomem.analysis.findings.table import as_record, print_findings, tried
from geomem.analysis.report.findings import findings, write_findings
from geomem.analysis.sweeps import Sweep, open_sweep, open_sweeps
from geomem.train.sweep.errors import UsageError
from tests.analysis.findings.cases import CASES
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
    assert "not tested, as no run is of that kind" in text
    assert "3 seeds, 5 needed" in call(sweeps[0]).stdout


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
