"""How problems are gathered: all at once, in the order of the file, and never too many."""

import pickle

import pytest

from geomem.train.config import ConfigError
from geomem.train.config.errors import MAX_PROBLEMS


def test_all_problems_at_once_in_the_order_of_the_file(refusal, base):
    text = base.replace("nodes: 15", "nodes: 1").replace("lr: 1e-2", "lrr: 1e-2")
    assert refusal(text + "seeds: x\nexecution: {stack: none}\n").splitlines() == [
        "g.yaml:3:31: graph.nodes: has to be at least 3, got 1",
        "g.yaml:5:11: optim.lrr: unknown key. Did you mean optim.lr?",
        "g.yaml:7:8: seeds: cannot read the text 'x'; "
        "write a seed (7), a range (0-31), both (0-3,8) or a list of them",
        "g.yaml:8:20: execution.stack: expected auto or an integer, got the text 'none'",
    ]


def test_equal_problems_once_and_ten_at_most(refusal, base):
    text = base.replace("nodes: 15", "nodes: 1")
    assert len(refusal(text + "grid: {optim.lr: [1, 2, 3]}\n").splitlines()) == 1
    lines = refusal(base + "grid: {train.steps: [" + "x, " * 12 + "x]}\n").splitlines()
    assert len(lines) == 11
    assert lines[-1] == "... and 3 more problems"


def test_a_large_grid_of_faulty_runs_is_refused_with_one_message(refusal, base):
    rates = ", ".join(str(rate) for rate in range(1, 1_001))
    text = base.replace("nodes: 15", "nodes: 1")
    message = refusal(f"{text}grid: {{optim.lr: [{rates}], optim.eps: [{rates}]}}\n")
    assert message == "g.yaml:3:31: graph.nodes: has to be at least 3, got 1"


def test_problems_are_bounded(load, base):
    with pytest.raises(ConfigError) as caught:
        load(base + "runs: [" + "x, " * 200_000 + "x]\n")
    assert len(caught.value.problems) == MAX_PROBLEMS


def test_strange_keys_are_shown_on_one_short_line(refusal, base):
    assert refusal(base + '"a\\nb": 1\n') == r"g.yaml:7:1: a\nb: unknown key"
    assert len(refusal(base + "k" * 1_000 + ": 1\n")) < 100


def test_the_error_survives_a_process_boundary(load, base):
    with pytest.raises(ConfigError) as caught:
        load(base + "gird: {}\n")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.problems) == (str(caught.value), caught.value.problems)
