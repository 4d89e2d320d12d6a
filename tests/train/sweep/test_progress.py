"""What a line of progress says, from the numbers it is given."""

from collections import Counter

import pytest

from geomem.train.sweep.progress import Lines
from geomem.train.sweep.tally import Tally


@pytest.fixture
def tally(monkeypatch):
    monkeypatch.setattr("geomem.train.sweep.progress._LINE_SECONDS", 0)
    return Tally(Counter(pending=8), stacks=2, planned_steps=40, display=Lines())


def test_a_line_has_counts_speed_and_the_median_loss_of_stacks_in_training(tally, capsys):
    for slot, loss in enumerate([0.25, 0.75]):
        tally.began(slot, stacks=1, planned_steps=20, resumed=False)
        tally.stepped(slot, 10, loss)
    tally.tick()
    line = capsys.readouterr().err
    assert line.startswith("0/8 runs   50%  ")
    assert "stacks 0/2, 2 in training" in line
    assert "median loss 0.5" in line
    assert "member-steps/s" in line


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
