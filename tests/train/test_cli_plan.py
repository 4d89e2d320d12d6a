"""`geomem-train plan` and `schema` as a user meets them: output, messages, exit codes."""

import json
import re
import subprocess
import sys

import jsonschema
import pytest
from click.testing import CliRunner

from geomem.train.cli import cli as group
from geomem.train.config.shipped import shipped_grids

NAMES = ", ".join(shipped_grids())
GRID = """\
version: 1
name: "[bold]two"
defaults: {graph: {kind: cycle, nodes: 15}, model.kind: transformer, optim.lr: 1, train.steps: 5}
grid: {model.width: [8, 16], optim.lr: [1, 2]}
seeds: 0-2
execution: {device: cpu, workers: 2}
"""


@pytest.fixture
def cli(tmp_path):
    """Return a function that runs the command line in an empty folder."""
    code = "import sys; from geomem.train.cli import main; main()"

    def run(*words):
        command = [sys.executable, "-c", code, *map(str, words)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def grid(tmp_path):
    (tmp_path / "g.yaml").write_text(GRID)
    return "g.yaml"


def test_table(cli, grid):
    result = cli("plan", grid)
    assert (result.returncode, result.stderr) == (0, "")
    title, *shared, head, _, first, second = result.stdout.splitlines()
    assert title == "[bold]two: 12 runs in 2 stacks for 2 workers on cpu"
    assert shared == [
        "  every graph: nodes=15",
        "  every model: layers=2",
        "  every task: recipe=edges_only",
    ]
    assert head.split()[:6] == ["graph", "model", "task", "training", "runs", "stacks"]
    row = "cycle transformer width=8 in_weights 5 steps 6 1 x 6 1,968"
    assert " ".join(first.split()).startswith(row)
    assert "width=16" in second
    assert (head.split()[-2:], first.split()[-1]) == (["size", "from"], "memory")


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_word_is_lost_on_a_narrow_terminal(cli, grid, width, monkeypatch):
    whole = cli("plan", grid).stdout
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("NO_COLOR", "1")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", cli("plan", grid).stdout).splitlines()
    assert max(map(len, lines)) <= width
    words = set(re.split(r"\s+|(?<!width)=", "\n".join(lines)))
    assert {w for line in whole.splitlines()[-2:] for w in line.split()} <= words


def test_json(cli, grid):
    result = cli("plan", grid, "--set", "execution.stack=4", "--json")
    plan = json.loads(result.stdout)
    assert (plan["name"], plan["runs"], plan["workers"]) == ("[bold]two", 12, 2)
    assert [stack["members"] for stack in plan["stacks"]] == [3, 3, 3, 3]
    assert len({run for stack in plan["stacks"] for run in stack["runs"]}) == 12
    assert plan["stacks"][0]["model"] == "transformer layers=2 width=8"


def test_what_a_size_comes_from(cli, grid, tmp_path):
    plan = json.loads(cli("plan", grid, "--set", "execution.stack=4", "--json").stdout)
    assert {stack["size_from"] for stack in plan["stacks"]} == {"grid"}
    (tmp_path / "t.json").write_text('{"format": 1, "device": "?", "versions": {}, "shapes": []}')
    result = cli("plan", grid, "--tuning", "t.json")
    assert result.returncode == 0
    assert result.stderr.startswith(f"{tmp_path}/t.json was measured on ?, this is ")
    assert result.stderr.count("\n") == 1
    broken = cli("plan", grid, "--tuning", "g.yaml")
    assert broken.returncode == 2
    assert f"error: {tmp_path}/g.yaml:1:1: " in broken.stderr


def test_stacks_that_are_trained_as_one(cli, grid, tmp_path):
    text = GRID.replace("optim.lr: [1, 2]", "graph.nodes: [15, 16]").replace(
        "workers: 2", "workers: 1"
    )
    (tmp_path / "g.yaml").write_text(text)
    head, _, *rows = cli("plan", grid).stdout.splitlines()[-6:]
    assert head.split()[4:7] == ["runs", "stacks", "shared"]
    assert [row.split("1 x 3")[1].split()[0] for row in rows] == ["1", "1", "2", "2"]
    plan = json.loads(cli("plan", grid, "--json").stdout)
    assert [stack["shared"] for stack in plan["stacks"]] == [1, 1, 2, 2]
    never = cli("plan", grid, "--json", "--set", "execution.share_sizes=never").stdout
    assert [stack["shared"] for stack in json.loads(never)["stacks"]] == [None] * 4


def test_warnings_go_to_stderr(cli, grid):
    result = cli("plan", grid, "--set", "optim.lr=3", "--json")
    assert result.returncode == 0
    expected = "g.yaml: 6 runs are equal to earlier ones; each is kept once"
    assert result.stderr == f"warning: {expected}\n"
    assert json.loads(result.stdout)["warnings"] == [expected]


def test_a_plan_for_a_gpu_elsewhere(cli, grid):
    result = cli("plan", grid, "--set", "execution.device=cuda", "--set", "execution.workers=3")
    assert result.returncode == 0
    assert "for 3 workers on cuda" in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tiny_graph"],
         "error: tiny_graph: no such file, and the grids that come with geomem are "
         f"{NAMES}. Did you mean tiny_graphs?\n"),
        (["paper/path_star"],
         "error: paper/path_star: no such file, and the grids that come with geomem are "
         f"{NAMES}. Did you mean paper/path_star_small?\n"),
        (["elsewhere/path_star"],
         "error: elsewhere/path_star: cannot be read: no such file or directory\n"),
        (["nope.yaml"], "error: nope.yaml: cannot be read: no such file or directory\n"),
        (["g.yaml", "--set", "train.stepz=4"],
         "error: --set train.stepz=4: train.stepz: unknown key. Did you mean train.steps?\n"),
        (["g.yaml", "--set", "model.width=6"],
         "error: --set model.width=6: model.width: width 6 cannot be divided by 4 heads; "
         "choose a multiple of 4\n"),
    ],
)  # fmt: skip
def test_errors_end_with_2_and_no_traceback(cli, grid, words, message):
    result = cli("plan", *words)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", message)


def test_a_broken_edge_list_is_named(cli, grid, tmp_path):
    (tmp_path / "e.txt").write_text("a b\na b c\n")
    result = cli("plan", grid, "--set", "graph={kind: edge_list, path: e.txt}")
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {tmp_path}/e.txt:2:1: found 3 names;")


@pytest.mark.parametrize("name", shipped_grids())
def test_shipped_grids_plan_without_a_warning(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("geomem.train.sweep.slots.cpu_memory", lambda: 140 * 2**30)  # an H200's
    by_name = CliRunner().invoke(group, ["plan", name], catch_exceptions=False)
    assert (by_name.exit_code, by_name.stderr) == (0, "")
    path = str(shipped_grids()[name])
    assert CliRunner().invoke(group, ["plan", path]).stdout == by_name.stdout
    assert by_name.stdout.startswith(f"{name.replace('/', '_')}: ")


def test_a_file_hides_the_shipped_grid_of_its_name(cli, grid, tmp_path):
    (tmp_path / "g.yaml").rename(tmp_path / "tiny_graphs")
    assert cli("plan", "tiny_graphs").stdout.startswith("[bold]two: 12 runs")


def test_ten_thousand_runs_are_planned(cli, grid):
    result = cli("plan", grid, "--set", "seeds=0-2499")
    assert "10,000 runs" in result.stdout


@pytest.mark.parametrize("words", [["plan", "g.yaml"], ["plan", "--help"], ["schema"], ["--help"]])
def test_imports_neither_torch_nor_matplotlib(grid, tmp_path, words):
    code = (
        "import sys; from geomem.train.cli import cli; cli(sys.argv[1:], standalone_mode=False); "
        "print('heavy:', {'torch', 'matplotlib', 'scipy'} & set(sys.modules), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *words]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stderr == "heavy: set()\n"


def test_schema_is_a_schema(cli):
    schema = json.loads(cli("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["seeds"]["description"].startswith("A seed (7), a range (0-31)")
