"""kill -9, signals and locks, with real processes."""

import os
import random
import re
import shutil
import signal
import subprocess

import pytest

from geomem.train.sweep.errors import InUseError
from geomem.train.sweep.lock import Shard, Work, drive, holders
from geomem.train.sweep.status import read_status, render_status
from tests.train.sweep.helpers import Sweeper, alive, children_of, control, wait_for

ATOMIC = ("opened", "written", "synced", "renamed", "folder-synced")
DRIVER = [(step, "*plan.jsonl*") for step in ATOMIC] + [
    ("written", "*sweep.json*"),
    ("renamed", "*grid.yaml*"),
    ("appending", "*main.jsonl"),
    ("appended", "*main.jsonl"),
    ("journalled", "*main.jsonl"),
]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The tensors of a sweep that nothing disturbed."""
    sweeper = Sweeper(tmp_path_factory.mktemp("undisturbed"))
    sweeper.write_grid(steps=40)
    assert sweeper.run() == 0
    return sweeper.tensors()


@pytest.fixture
def long(sweeper):
    """A sweep of 2 x 40 steps."""
    sweeper.write_grid(steps=40)
    return sweeper


def check_whole(sweeper, expected):
    """Everything is there, equal to the undisturbed run, and nothing else is."""
    assert sweeper.run() == 0
    assert sweeper.tensors() == expected
    assert sweeper.packs() == sorted(c.pack for c in sweeper.state.commits.values())
    assert not list(sweeper.out.rglob(".*"))
    assert not list(sweeper.folder.checkpoints.iterdir())


@pytest.mark.parametrize(("step", "glob"), DRIVER)
def test_the_driver_dies_at_a_write(long, expected, tmp_path, step, glob):
    token = tmp_path / "token"
    token.touch()
    with long.start(GEOMEM_FAILPOINT=f"{step}:{glob}:{token}") as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not token.exists()
    committed = set(long.state.commits) if long.folder.plan.exists() else set()
    check_whole(long, expected)
    assert committed <= set(long.state.commits)


@pytest.mark.parametrize("step", ATOMIC)
@pytest.mark.parametrize("folder", ["packs", "checkpoints"])
def test_a_worker_dies_at_a_write(long, expected, tmp_path, monkeypatch, capfd, step, folder):
    token = tmp_path / "token"
    token.touch()
    long.write_grid(steps=40, save=0.01)
    monkeypatch.setenv("GEOMEM_FAILPOINT", f"{step}:*/{folder}/*:{token}")
    monkeypatch.setenv("FAKE_CONTROL", control(sleep=0.002))
    assert long.run() == 0
    assert not token.exists()
    assert "the worker was killed by SIGKILL" in capfd.readouterr().err
    check_whole(long, expected)


def test_the_driver_dies_at_random_times(long, expected):
    chance = random.Random(0)
    kills = 0
    long.write_grid(steps=40, save=0.05)
    while kills < 3:
        with long.start(FAKE_CONTROL=control(sleep=0.04)) as process:
            try:
                process.communicate(timeout=chance.uniform(0.4, 1.1))
                shutil.rmtree(long.out)  # it was faster than this test: from the start
                continue
            except subprocess.TimeoutExpired:
                workers = children_of(process.pid)
                process.kill()
                kills += 1
        wait_for(lambda pids=workers: not any(map(alive, pids)))
    check_whole(long, expected)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP"])
def test_a_signal_writes_checkpoints(long, expected, name):
    with long.start(FAKE_CONTROL=control(sleep=0.2, starts=str(long.starts))) as process:
        wait_for(long.is_training)
        workers = children_of(process.pid)
        process.send_signal(signal.Signals[name])
        err = process.communicate()[1]
    assert process.returncode == 75
    assert f"interrupted by {name}; 8 runs: 8 pending" in err
    assert "The same command resumes:\n  geomem-train sweep again" in err
    assert not any(map(alive, workers))
    assert len(list(long.folder.checkpoints.iterdir())) == 2
    check_whole(long, expected)


def test_the_second_signal_stops_at_once(long, expected):
    told = control(sleep=0.2, deaf=True, starts=str(long.starts))
    with long.start(FAKE_CONTROL=told) as process:
        wait_for(long.is_training)
        workers = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        assert any("writing checkpoints" in line for line in process.stderr)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        err = process.stderr.read()
    assert process.returncode == 75
    assert "SIGINT again: stopped at once" in err
    assert not any(map(alive, workers))
    check_whole(long, expected)


def test_a_second_driver_is_told_who_is_first(long):
    with long.start(FAKE_CONTROL=control(sleep=0.5)) as first:
        wait_for(lambda: len(children_of(first.pid)) == 2)
        assert [holder.pid for holder in holders(long.folder.journal)] == [first.pid]
        with long.start() as second:
            err = second.communicate()[1]
        assert second.returncode == 4
        assert f"in use by process {first.pid} on " in err
        assert ", since 2" in err
        with pytest.raises(InUseError, match=str(first.pid)):
            long.run(shard=Shard(1, 2))
        first.kill()
        first.communicate()
    assert not holders(long.folder.journal)
    assert long.run() == 0


def test_status_tells_what_a_driver_is_at(long):
    def training():
        return long.folder.plan.exists() and read_status(long.folder)["stacks"]["training"] == 2

    with long.start(FAKE_CONTROL=control(sleep=0.5)) as process:
        wait_for(training)
        lines = render_status(read_status(long.folder)).splitlines()
        assert lines[2] == "  2 stacks: 2 in training"
        assert re.fullmatch(rf"  at work: process {process.pid} on .*: \d+%(, .* left)?", lines[-1])
        process.kill()
        process.communicate()
    found = read_status(long.folder)
    assert found["stacks"] == {"committed": 0, "failed": 0, "training": 0, "pending": 2}
    assert found["drivers"] == []


def test_nobody_reading_stderr(long):
    with long.start(FAKE_CONTROL=control(sleep=0.01)) as process:
        process.stderr.close()
        assert process.wait() == 0
    assert long.counts == {"done": 8}


class TestLocks:
    def test_shards_exclude_the_whole_and_themselves(self, tmp_path):
        with drive(tmp_path, Shard(1, 2)), drive(tmp_path, Shard(2, 2)):
            assert [holder.shard for holder in holders(tmp_path)] == [
                "shard-1-of-2",
                "shard-2-of-2",
            ]
            with (
                pytest.raises(InUseError, match=r"by shard-1-of-2, process"),
                drive(tmp_path, None),
            ):
                pass
            with pytest.raises(InUseError, match="by shard-2-of-2"), drive(tmp_path, Shard(2, 2)):
                pass
        assert not holders(tmp_path)

    def test_a_lock_says_how_far_its_holder_is(self, tmp_path):
        with drive(tmp_path, Shard(1, 2)) as sign, drive(tmp_path, Shard(2, 2)):
            for work in (Work(12, 1 / 3, 1234.5678), Work(1, 0.5, None)):
                sign.tell(work)
                assert [holder.work for holder in holders(tmp_path)] == [work, None]
        with drive(tmp_path, Shard(1, 2)):
            assert [holder.work for holder in holders(tmp_path)] == [None]

    def test_one_division_at_a_time(self, tmp_path):
        with (
            drive(tmp_path, Shard(1, 2)),
            pytest.raises(InUseError, match="divides the sweep by 2"),
            drive(tmp_path, Shard(1, 3)),
        ):
            pass

    def test_the_whole_excludes_shards(self, tmp_path):
        with (
            drive(tmp_path, None),
            pytest.raises(InUseError, match=f"process {os.getpid()}"),
            drive(tmp_path, Shard(1, 2)),
        ):
            pass

    def test_a_changed_grid_waits_for_the_other_shards(self, sweeper):
        sweeper.run()
        sweeper.write_grid(seeds="0-9")
        with (
            drive(sweeper.folder.journal, Shard(2, 2)),
            pytest.raises(InUseError, match="the grid changed, but"),
        ):
            sweeper.run(shard=Shard(1, 2))
        assert sweeper.run(shard=Shard(1, 2)) == 0
