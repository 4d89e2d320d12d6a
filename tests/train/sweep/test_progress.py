"""What a line of progress says, from the numbers it is given."""

from collections import Counter

import pytest

from geomem.train.sweep.progress import Lines
from geomem.train.sweep.tally import Tally


class Clock:
    """A clock that goes on only when it is told to."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tally(monkeypatch, clock):
    monkeypatch.setattr("geomem.train.sweep.progress._LINE_SECONDS", 0)
    return Tally(Counter(pending=8), 2, planned_steps=40, display=Lines(), clock=clock)


def long_tally(clock):
    return Tally(Counter(pending=8), 2, planned_steps=6400, display=Lines(), clock=clock)


def training(clock, steps=3200):
    """One whose first worker has just started."""
    tally = long_tally(clock)
    tally.began(0, stacks=1, planned_steps=steps, resumed=False, fresh=True)
    return tally


def report(tally, clock, seconds, steps, slot=0):
    clock.now += seconds
    tally.stepped(slot, steps, None)


def test_a_line_has_counts_speed_and_the_median_loss_of_stacks_in_training(tally, clock, capsys):
    for slot, loss in enumerate([0.25, 0.75]):
        tally.began(slot, stacks=1, planned_steps=20, resumed=False, fresh=True)
        tally.stepped(slot, 2, loss)
    clock.now += 4
    for slot, loss in enumerate([0.25, 0.75]):
        tally.stepped(slot, 10, loss)
    tally.tick()
    line = capsys.readouterr().err
    assert line.startswith("0/8 runs   50%  5.0 s left")
    assert "stacks 0/2, 2 in training" in line
    assert "median loss 0.5" in line
    assert "4 member-steps/s" in line


def test_a_stack_that_is_over_no_longer_has_a_loss(tally, capsys):
    tally.began(0, stacks=1, planned_steps=20, resumed=False)
    tally.stepped(0, 10, 0.25)
    tally.returned(0)
    tally.tick()
    line = capsys.readouterr().err
    assert "0 in training" in line
    assert "median loss" not in line


def test_a_quiet_display_shows_no_line(monkeypatch, capsys):
    monkeypatch.setattr("geomem.train.sweep.progress._LINE_SECONDS", 0)
    Tally(Counter(pending=8), stacks=2, planned_steps=40, display=Lines(quiet=True)).tick()
    assert capsys.readouterr().err == ""


class TestTimeLeft:
    def test_the_start_of_workers_is_no_training(self, clock):
        tally = training(clock)
        report(tally, clock, 40, 1)
        assert tally.seconds_left is None
        report(tally, clock, 4, 401)
        assert tally.seconds_left is None  # four seconds are no ground to stand on
        report(tally, clock, 4, 801)
        assert tally.rate == 100
        assert tally.seconds_left == pytest.approx(56, abs=0.1)

    def test_an_unmeasured_speed_is_not_shown(self, tally, capsys):
        tally.began(0, stacks=1, planned_steps=20, resumed=False, fresh=True)
        tally.stepped(0, 10, None)
        tally.tick()
        line = capsys.readouterr().err
        assert "left" not in line
        assert "member-steps/s" not in line

    def test_workers_that_start_late_count_like_the_others(self, clock):
        tally = long_tally(clock)
        for slot in (0, 1):
            tally.began(slot, stacks=1, planned_steps=3200, resumed=False, fresh=True)
        report(tally, clock, 5, 0)
        report(tally, clock, 8, 800)
        assert tally.rate == 200

    def test_what_comes_between_two_jobs_of_a_worker_counts(self, clock):
        tally = training(clock)
        report(tally, clock, 5, 0)
        report(tally, clock, 4, 400)
        tally.returned(0)
        tally.began(0, stacks=1, planned_steps=3200, resumed=False)
        report(tally, clock, 4, 200)
        assert tally.rate == pytest.approx(600 / 8)

    def test_a_worker_that_starts_anew_is_not_training_meanwhile(self, clock):
        tally = training(clock)
        report(tally, clock, 5, 0)
        report(tally, clock, 8, 800)
        tally.returned(0)
        tally.began(0, stacks=1, planned_steps=3200, resumed=False, fresh=True)
        report(tally, clock, 50, 10)
        assert tally.rate == 100

    def test_the_steps_of_a_checkpoint_were_not_made_now(self, clock):
        tally = long_tally(clock)
        tally.began(0, stacks=1, planned_steps=3200, resumed=True, fresh=True)
        report(tally, clock, 5, 2000)
        report(tally, clock, 8, 2800)
        assert tally.rate == 100

    def test_an_evaluation_neither_makes_it_absurd_nor_is_forgotten(self, clock):
        """Blocks of 640 steps in 8 s, and 16 s of evaluation: 26.7 steps/s in all."""
        tally = training(clock, 6400)
        report(tally, clock, 5, 0)
        rates = []
        for step in range(40, 6400, 40):
            is_evaluated = step % 640 == 0
            report(tally, clock, 0.5 + 16 * is_evaluated, step)
            rates.append(tally.rate)
        late = rates[2 * 16 :]
        assert 20 < min(late) < max(late) < 45

    def test_it_is_counted_down_and_ends_where_it_proves_wrong(self, clock):
        tally = training(clock, 6400)
        report(tally, clock, 5, 0)
        report(tally, clock, 54, 5400)
        assert tally.seconds_left == pytest.approx(10)
        clock.now += 4
        assert tally.seconds_left == pytest.approx(6)
        assert tally.rate == 100
        clock.now += 60  # an evaluation
        assert tally.seconds_left is None
        report(tally, clock, 0, 6400)
        assert tally.seconds_left is None  # packs are being written

    def test_the_last_worker_is_alone(self, clock):
        tally = long_tally(clock)
        for slot in (0, 1):
            tally.began(slot, stacks=1, planned_steps=3200, resumed=False, fresh=True)
            report(tally, clock, 0, 0, slot)
        report(tally, clock, 8, 800, slot=0)
        report(tally, clock, 0, 800, slot=1)
        assert tally.rate == 200
        tally.returned(1)
        assert tally.rate == 100

    def test_a_changed_speed_is_followed(self, clock):
        tally = training(clock, 6400)
        report(tally, clock, 5, 0)
        for step in range(100, 3300, 100):
            report(tally, clock, 10, step)
        for step in range(3300, 5200, 100):
            report(tally, clock, 1, step)
        assert tally.rate == pytest.approx(100)
