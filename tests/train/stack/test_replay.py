"""What a recorded graph does, with a stand-in for CUDA that records and repeats calls."""

from contextlib import contextmanager
from typing import ClassVar

import pytest
import torch

from geomem.bench.throughput.points import StepPoint
from geomem.train.stack import replay as module
from geomem.train.stack import train_stack
from geomem.train.stack.replay import AHEAD, WARM_CALLS, Replay
from geomem.train.tasks.ahead import AT_ONCE
from tests.train.stack.test_step import KINDS


class _Graph:
    recording = None

    def replay(self):
        for call in self.calls:
            call()


class _Stream:
    def wait_stream(self, other):
        pass


class _Event:
    under_way: ClassVar[list] = []

    def record(self):
        self.under_way.append(self)

    def synchronize(self):
        assert self.under_way.pop(0) is self


class _Steps:
    """Notes the rates that it reads, when a device would read them."""

    def __init__(self):
        self.read, self.calls = [], 0

    def each(self, rates):
        def work():
            self.read += rates.tolist()

        self.calls += 1
        work() if _Graph.recording is None else _Graph.recording.append(work)


@contextmanager
def _recording(graph, pool, stream=None):
    graph.calls = _Graph.recording = []
    yield
    _Graph.recording = None


@contextmanager
def _beside(stream):
    yield


@pytest.fixture
def steps(monkeypatch):
    fakes = {
        "CUDAGraph": _Graph,
        "Event": _Event,
        "current_device": lambda: 0,
        "current_stream": _Stream,
        "stream": _beside,
        "graph": _recording,
        "graph_pool_handle": lambda: None,
        "synchronize": lambda: None,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(module, "_side_stream", lambda device: _Stream())  # the real one is kept
    _Event.under_way.clear()
    return _Steps()


def test_every_step_has_its_own_rates(steps):
    replay, lengths = Replay(steps), [2] * WARM_CALLS + [2, 2, 1, 2, 1, 1, 2]
    wanted = torch.arange(sum(lengths)).float()
    for rates in wanted[:, None].split(lengths):
        replay(rates)
    assert steps.read == [[rate] for rate in wanted.tolist()]
    assert steps.calls == WARM_CALLS + 2  # one graph for each number of steps, else replayed


def test_the_host_waits_for_the_call_before_the_last_ones(steps):
    replay, ahead = Replay(steps), []
    for i in range(WARM_CALLS + 4):
        replay(torch.tensor([[float(i)]]))
        ahead.append(len(_Event.under_way))
    assert ahead == [min(i + 1, AHEAD) for i in range(WARM_CALLS + 4)]


def test_the_graph_is_among_the_steps_that_a_benchmark_checks():
    assert StepPoint.checked_steps == (WARM_CALLS + 1) * AT_ONCE


CASES = {
    "sampled": {"train": {"edge_batch": 7, "path_batch": 3}},
    "full": {"train": {"edge_batch": "all", "path_batch": "all"}},
    "stages of equal shapes": {
        "task": {"recipe": "staged", "target": "hardest_token", "pauses": 0},
        "train": {"edge_batch": 2, "path_batch": 2, "edge_steps": 30},
    },
    "prompts": {
        "graph": {"arms": 2},
        "task": {"kind": "in_context", "test_examples": 20},
        "train": {"path_batch": 13},
    },
}


needs_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def _graphs_equal_single_steps(runs, monkeypatch, compile=False):
    from geomem.train.stack import learner

    graphs = train_stack(runs, device="cuda", compile=compile).tensors
    monkeypatch.setattr(learner, "Replay", lambda steps: steps.each)
    plain = train_stack(runs, device="cuda", compile=compile).tensors
    for name in ("embedding", "metrics/loss"):
        gap = torch.from_numpy(graphs[name] - plain[name]).norm()
        assert gap <= 1e-3 * torch.from_numpy(plain[name]).norm(), name


@needs_a_gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("case", "compiled"), [*((case, False) for case in CASES), ("full", True)])
def test_a_graph_trains_as_single_steps_do(make_run, monkeypatch, case, kind, compiled):
    own = {"task": {"recipe": "mixed"}} | CASES[case]
    own["train"] = {"steps": 59, "eval_every": 25} | own["train"]
    runs = [make_run(s, model=KINDS[kind], **own) for s in range(3)]
    _graphs_equal_single_steps(runs, monkeypatch, compiled)


@needs_a_gpu
def test_a_graph_ascends_as_single_steps_do(make_run, monkeypatch):
    model, optim = {"kind": "node2vec", "width": 4}, {"lr": 0.1, "weight_decay": 0.0}
    train = {"steps": 59, "eval_every": 25}
    runs = [make_run(s, model=model, optim=optim, train=train) for s in range(3)]
    _graphs_equal_single_steps(runs, monkeypatch)
