"""Tuning with workers that claim their speeds."""

import os
import signal

import pytest

from geomem.train.config import load_grid
from geomem.train.config.execution import Execution
from geomem.train.sweep import tune as tune_module
from geomem.train.sweep.errors import EngineError, UsageError
from geomem.train.sweep.slots import Slots
from geomem.train.sweep.tune import Means, next_members, tune, ways_to_arrange
from geomem.train.sweep.tuning import Speed, read_tuning
from tests.train.sweep.helpers import FAKE, Sweeper

# So slow that one stack takes longer than a measurement, whatever this machine is at.
RATES = {"1": 0.01, "2": 0.018, "4": 0.03, "8": 0.031, "16": 0.0305, "32": 1.0}
HERE = Slots("cpu", 2, 1, name="here")


@pytest.fixture
def tuning(tmp_path, monkeypatch):
    """Return a function that tunes a tiny grid into one file and returns report and lines."""
    monkeypatch.setattr(tune_module, "cores", lambda: 2)
    sweeper = Sweeper(tmp_path)

    def build(said=None, slots=HERE, **execution):
        lines = []

        def say(text):
            lines.append(text)
            if said:
                said(text)

        means = Means(slots, 50.0, say, FAKE)
        runs = load_grid(sweeper.grid).runs
        return tune(runs, Execution(**execution), tmp_path / "t.json", means), lines

    return build


def members(tmp_path):
    (shape,) = read_tuning(tmp_path / "t.json").shapes
    return [speed.members for speed in shape.measured]


def test_stacks_grow_until_they_are_no_longer_faster(tuning, fake, tmp_path):
    fake(rates=RATES)
    report, lines = tuning()
    (shape,) = report.tuning.shapes
    assert members(tmp_path) == [1, 2, 4, 8, 16]
    assert [speed.rate for speed in shape.measured] == list(RATES.values())[:5]
    assert (shape.members, shape.too_many) == (4, None)
    ways = [(a.workers, a.threads, a.rate) for a in shape.arrangements]
    assert ways == [(2, 1, 0.06), (1, 2, 0.03)]
    assert read_tuning(tmp_path / "t.json") == report.tuning
    assert lines[0].startswith("[1/1] path_star arms=4 length=5, transformer layers=1 width=32")
    assert lines[0].endswith(": 1 member: 0.01 member-steps/s")
    assert (report.failed, report.interrupted) == ([], None)


@pytest.mark.parametrize(("device", "jobs"), [("cpu", 1), ("cuda", 2)])
def test_what_compiles_kernels_is_not_counted(tuning, fake, tmp_path, device, jobs):
    starts = tmp_path / "starts"
    fake(rates=RATES, starts=str(starts))
    report, _ = tuning(slots=Slots(device, 1, 1, name="here"), stack=2)
    assert [speed.rate for speed in report.tuning.shapes[0].measured] == [0.01, 0.018]
    alone = [line for line in starts.read_text().splitlines() if line.split()[0] == "1"]
    assert len(alone) == jobs


def test_nothing_known_is_measured_again(tuning, fake, tmp_path):
    starts = tmp_path / "starts"
    fake(rates=RATES)
    before = tuning()[0].tuning
    fake(rates=RATES, starts=str(starts))
    assert tuning()[0].tuning == before
    assert not starts.exists()


def test_an_interrupted_tuning_goes_on(tuning, fake, tmp_path):
    starts = tmp_path / "starts"
    fake(rates=RATES, starts=str(starts))

    def interrupt(text):
        if "2 members" in text:
            os.kill(os.getpid(), signal.SIGINT)

    report, _ = tuning(interrupt)
    assert report.interrupted == "SIGINT"
    assert members(tmp_path) == [1, 2]
    starts.unlink()
    report, _ = tuning()
    assert members(tmp_path) == [1, 2, 4, 8, 16]
    assert {int(line.split()[0]) for line in starts.read_text().splitlines()} == {4, 8, 16}
    assert report.tuning.shapes[0].members == 4


def test_memory_ends_the_search(tuning, fake, tmp_path):
    fake(rates=RATES, oom=2)
    report, lines = tuning()
    (shape,) = report.tuning.shapes
    assert (members(tmp_path), shape.members, shape.too_many) == ([1, 2], 2, 4)
    assert any("4 members: memory does not suffice" in line for line in lines)
    assert len(shape.arrangements) == 2


def test_no_more_than_the_grid_allows(tuning, fake, tmp_path):
    fake(rates=RATES)
    tuning(stack=3)
    assert members(tmp_path) == [1, 2]


def test_what_cannot_be_trained_is_told(tuning, fake, tmp_path):
    fake(fail=0)
    report, _ = tuning()
    assert len(report.failed) == 1
    assert report.failed[0].endswith("ValueError: this run cannot be trained")
    assert not (tmp_path / "t.json").exists()


def test_workers_that_do_not_start(tuning, fake):
    fake(no_start=True)
    with pytest.raises(EngineError, match="before it was ready"):
        tuning()


def test_a_file_of_another_device_is_kept(tuning, fake, tmp_path):
    fake(rates=RATES)
    tuning(stack=1)
    before = (tmp_path / "t.json").read_bytes()
    with pytest.raises(UsageError, match=r"was measured on here with .*give --out another file"):
        tuning(slots=Slots("cpu", 2, 1, name="there"))
    assert (tmp_path / "t.json").read_bytes() == before


def test_one_slow_size_may_be_noise():
    def after(*rates):
        return next_members([Speed(members=2**i, rate=r) for i, r in enumerate(rates)], 256)

    assert after() == 1
    assert after(10.0) == 2
    assert after(10.0, 9.0) == 4
    assert after(10.0, 9.0, 20.0) == 8
    assert after(10.0, 10.4, 10.45) is None
    assert next_members([Speed(members=128, rate=1.0)], 256) == 256
    assert next_members([Speed(members=128, rate=1.0)], 255) is None


def test_two_workers_share_a_gpu(monkeypatch):
    assert ways_to_arrange(Slots("cuda", 8, 1, tuple("01234567"))) == [(1, 1), (2, 1)]
    monkeypatch.setattr(tune_module, "cores", lambda: 1)
    assert ways_to_arrange(HERE) == []
