"""`geomem-train sweep` as it is typed, with real training of tiny models."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from geomem.train.packs import open_pack
from tests.train.sweep.helpers import wait_for

GRID = """
version: 1
name: Tiny Graphs
defaults:
  graph: {kind: path_star, arms: 4, length: 5}
  task: {kind: in_weights, recipe: edges_only}
  model: {kind: transformer, layers: 1, width: 32}
  train: {steps: 400}
grid: {optim.lr: [1e-2, 1e-3]}
seeds: 0-2
execution: {device: cpu, stack: 3, workers: 2, checkpoint_seconds: 0.05}
"""
TRAIN = str(Path(sys.executable).with_name("geomem-train"))


def train(*words, cwd, **options):
    return subprocess.run(
        [TRAIN, *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False, **options
    )


def tensors(folder):
    """Per stack: the SHA-256 of each tensor."""
    packs = [open_pack(path) for path in (folder / "packs").iterdir()]
    assert not any(pack.damaged() for pack in packs)
    return {pack.metadata["stack"]: pack.metadata["sha256"] for pack in packs}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a grid file and its finished sweep."""
    place = tmp_path_factory.mktemp("place")
    (place / "grid.yaml").write_text(GRID)
    done = train("sweep", "grid.yaml", cwd=place)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "6 runs: 6 done" in done.stderr
    return place


@pytest.fixture(scope="module")
def sweep(place):
    (folder,) = (place / "sweeps").iterdir()
    return folder


@pytest.fixture
def copy(sweep, tmp_path):
    return Path(shutil.copytree(sweep, tmp_path / "copy"))


def test_the_directory_is_named_after_the_sweep(place, sweep):
    assert sweep.name.startswith("tiny-graphs-")
    assert sorted(path.name for path in place.iterdir()) == ["grid.yaml", "sweeps"]
    assert sorted(path.name for path in sweep.iterdir()) == [
        *("checkpoints", "grid.yaml", "journal", "logs", "packs", "plan.jsonl", "sweep.json"),
    ]
    assert (sweep / "grid.yaml").read_text() == GRID


def test_again_has_nothing_to_do(place):
    again = train("sweep", "grid.yaml", cwd=place)
    assert again.returncode == 0
    assert "finished already" in again.stderr


def test_killed_at_random_and_resumed_it_is_the_same(place, sweep):
    chance, kills = random.Random(1), 0
    command = [TRAIN, "sweep", "grid.yaml", "--out", "killed"]
    begun = place / "killed" / "checkpoints"
    while kills < 3:
        with subprocess.Popen(command, cwd=place, stderr=subprocess.PIPE) as process:
            old = times(begun)
            wait_for(lambda old=old, p=process: moved(begun, old) or p.poll() is not None)
            time.sleep(chance.uniform(0, 0.2))
            process.kill()
            process.communicate()
        kills += process.returncode == -signal.SIGKILL
        if process.returncode == 0:  # it was faster than this test: from the start
            shutil.rmtree(place / "killed")
    assert train("sweep", "grid.yaml", "--out", "killed", cwd=place).returncode == 0
    assert tensors(place / "killed") == tensors(sweep)


def moved(folder, old):
    """Whether a checkpoint has been written since `old`."""
    return any(old.get(path) != time for path, time in times(folder).items())


def times(folder):
    """When each checkpoint was written; those of finished stacks go away meanwhile."""
    found = {}
    for path in folder.glob("*.safetensors"):
        with contextlib.suppress(FileNotFoundError):
            found[path] = path.stat().st_mtime_ns
    return found


def test_interrupted_and_resumed_it_is_the_same(place, sweep):
    command = [TRAIN, "sweep", "grid.yaml", "--out", "stopped", "--quiet"]
    stopped, left = place / "stopped", []
    while not left:
        shutil.rmtree(stopped, ignore_errors=True)  # it may be done before the signal: once more
        with subprocess.Popen(command, cwd=place, stderr=subprocess.PIPE, text=True) as process:
            wait_for(lambda p=process: times(stopped / "checkpoints") or p.poll() is not None)
            process.send_signal(signal.SIGTERM)
            err = process.communicate()[1]
        left = list(stopped.glob("checkpoints/*.safetensors"))
    assert process.returncode == 75
    assert "geomem-train sweep grid.yaml --out stopped --quiet" in err
    assert train("sweep", "grid.yaml", "--out", "stopped", cwd=place).returncode == 0
    assert tensors(place / "stopped") == tensors(sweep)


def test_a_damaged_pack_is_named_put_aside_and_made_again(place, copy, sweep):
    pack = open_pack(sorted((copy / "packs").iterdir())[0])
    data = bytearray(pack.path.read_bytes())
    data[pack.data_start + pack.entries["embedding"].start] ^= 1
    pack.path.write_bytes(data)

    found = train("verify", copy, cwd=place)
    assert found.returncode == 5
    assert f"{pack.path.name}: tensor embedding: damaged" in found.stdout
    assert "2 packs, " in found.stdout
    assert "1 damaged" in found.stdout

    repaired = train("verify", copy, "--repair", cwd=place)
    assert repaired.returncode == 0
    assert f"kept as {pack.path.name}.damaged" in repaired.stdout
    assert pack.path.with_name(pack.path.name + ".damaged").read_bytes() == data
    assert json.loads(train("status", copy, "--json", cwd=place).stdout)["runs"]["pending"] == 3

    assert train("sweep", "grid.yaml", "--out", copy, cwd=place).returncode == 0
    assert train("verify", copy, cwd=place).returncode == 0
    for path in (copy / "packs").glob("*.damaged"):
        path.unlink()
    assert tensors(copy) == tensors(sweep)


@pytest.mark.parametrize("environment", [{}, {"HOME": "/nowhere", "TERM": "dumb", "LANG": "C"}])
def test_without_home_or_terminal(sweep, environment):
    done = train("status", sweep, cwd="/", env=environment)
    assert done.returncode == 0
    assert done.stdout.startswith("Tiny Graphs  ")
    assert train("results", sweep, cwd="/", env=environment).returncode == 0


def test_usage_errors(place, sweep):
    for words, text in (
        (("sweep", "grid.yaml", "--shard", "3/2"), "is not I/N"),
        (("sweep", "absent.yaml"), "absent.yaml"),
        (("sweep", "grid.yaml", "--set", "optim.rl=1"), "optim.rl"),
        (("sweep", "grid.yaml", "--out", place), "no sweep directory and not empty"),
        (("status", place), "is not a sweep directory"),
        (("results", sweep, "--csv", "--json"), "give one of"),
    ):
        done = train(*words, cwd=place)
        assert done.returncode == 2, words
        assert text in done.stderr
        assert "Traceback" not in done.stderr


def test_the_exit_code_of_diverged_runs(place):
    words = ("sweep", "grid.yaml", "--out", "hot", "--quiet")
    hot = ("--set", "optim.lr=1e9", "--set", "train.steps=20", "--set", "seeds=0-1")
    done = train(*words, *hot, cwd=place)
    assert done.returncode == 3, done.stderr
    assert "2 diverged" in done.stderr


def test_help_and_status_import_no_torch(sweep):
    code = (
        "import sys; from geomem.train.cli import cli;"
        "cli(sys.argv[1:], standalone_mode=False);"
        "assert not {'torch', 'matplotlib'} & set(sys.modules), 'heavy'"
    )
    commands = [["--help"], ["status", str(sweep)], ["results", str(sweep)]]
    commands += [[name, "--help"] for name in ("sweep", "status", "results", "verify", "doctor")]
    for words in commands:
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Examples:" in done.stdout or "Example:" in done.stdout or words[-1] == str(sweep)


def test_a_reader_that_leaves(sweep):
    for words in (["status"], ["results", "--csv"], ["results", "--json"], ["results"], ["verify"]):
        command = [TRAIN, words[0], str(sweep), *words[1:]]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            process.stdout.close()
            assert process.stderr.read() == "", words
        assert process.returncode in (0, 1)


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_closed_streams(place, sweep, closed):
    short = ("--set", "train.steps=5", "--set", "seeds=0", "--quiet")
    for words in (
        ("sweep", "grid.yaml", "--out", f"closed{len(closed)}", *short),
        ("plan", "grid.yaml"),
        ("status", sweep),
        ("results", sweep),
    ):
        shell = ["sh", "-c", f'exec "$0" "$@" {closed}', TRAIN, *map(str, words)]
        done = subprocess.run(shell, cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stderr)
        assert "Traceback" not in done.stderr
    assert train("verify", f"closed{len(closed)}", cwd=place).returncode == 0


def test_a_terminal_sees_a_bar(place):
    words = "sweep grid.yaml --out seen --set train.steps=300"
    command = ["script", "-qec", f"{TRAIN} {words}", os.devnull]
    if shutil.which("script") is None:
        pytest.skip("needs the script command")
    done = subprocess.run(command, cwd=place, capture_output=True, check=False)
    assert done.returncode == 0
    assert "━".encode() in done.stdout
    assert b"member-steps/s" in done.stdout
    assert b"\x1b[?25h" in done.stdout  # the cursor is back


def test_doctor(place):
    done = train("doctor", cwd=place)
    assert done.returncode == 0
    for word in ("torch", "triton", "numpy", "python", "flash-attn", "cores"):
        assert word in done.stdout
    assert f"locks       work in {place}" in done.stdout
