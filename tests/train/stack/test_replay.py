"""Which tensors a recorded graph reads, with a stand-in for CUDA that records and repeats calls."""

from contextlib import contextmanager
from typing import ClassVar

import pytest
import torch

from geomem.bench.throughput.points import StepPoint
from geomem.models import Segment
from geomem.train.stack import replay as module
from geomem.train.stack import train_stack
from geomem.train.stack.batches import Part, tensors_of
from geomem.train.stack.replay import AHEAD, GRAPH_STEPS, WARM_CALLS, Replay
from geomem.train.stack.step import Step
from tests.train.stack.test_step import KINDS

TAG, OTHER_TAG = torch.tensor([[7], [7]]), torch.tensor([[8], [8]])
RATES = torch.full((1, 2), 0.1)


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


class _Step:
    """Notes what it reads, when a device would read it."""

    def __init__(self):
        self.read, self.layouts = [], []

    def each(self, batches, rates):
        ((part,),) = batches

        def work():
            self.read.append(
                [part.segment.tokens.clone(), part.segment.prefix.clone(), part.targets.clone()]
            )

        self.layouts.append((part.segment.tokens.stride(), part.targets.stride()))
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
def step(monkeypatch):
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
    return _Step()


def batch(number, tag):
    """Tokens and targets as slices of a larger draw, as in-context examples are."""
    drawn = torch.arange(2 * 6 * 5).view(2, 6, 5) + 100 * number
    return [[Part(Segment(drawn[:, :3, :4], tag, 1), drawn[:, :3, 4])]]


def assert_read(found, wanted):
    ((part,),) = wanted
    for a, b in zip(found, (part.segment.tokens, part.segment.prefix, part.targets), strict=True):
        assert torch.equal(a, b)


def test_every_step_reads_its_own_batch(step):
    replay, batches = Replay(step), [batch(i, TAG) for i in range(WARM_CALLS + 4)]
    for one in batches:
        replay(one, RATES)
    assert len(step.read) == len(batches)
    for found, wanted in zip(step.read, batches, strict=True):
        assert_read(found, wanted)
    assert len(step.layouts) == WARM_CALLS + 1  # in the rest the graph was replayed


def test_kernels_are_warm_for_the_layout_that_is_recorded(step):
    replay = Replay(step)
    for i in range(WARM_CALLS + 1):
        replay(batch(i, TAG), RATES)
    assert len(set(step.layouts)) == 1


def test_a_stage_of_the_same_shapes_gets_a_graph_of_its_own(step):
    replay, calls = Replay(step), 2 * (WARM_CALLS + 2)
    batches = [batch(i, TAG if i < calls // 2 else OTHER_TAG) for i in range(calls)]
    for one in batches:
        replay(one, RATES)
    for found, wanted in zip(step.read, batches, strict=True):
        assert_read(found, wanted)
    assert TAG.tolist() == [[7], [7]]  # what belongs to the task is never written to


def test_the_host_waits_for_the_call_before_the_last_ones(step):
    replay, ahead = Replay(step), []
    for i in range(WARM_CALLS + 4):
        replay(batch(i, TAG), RATES)
        ahead.append(len(_Event.under_way))
    assert ahead == [min(i + 1, AHEAD) for i in range(WARM_CALLS + 4)]


def test_the_graph_is_among_the_steps_that_a_benchmark_checks():
    assert StepPoint.checked_steps == (WARM_CALLS + 1) * GRAPH_STEPS


def test_an_evaluation_leaves_the_examples_of_a_stage_in_place(make_run, monkeypatch):
    """Or every graph that reads them would be recorded anew."""
    given = []
    monkeypatch.setattr(Step, "each", lambda self, batches, rates: given.append(batches))
    whole = {"steps": 9, "eval_every": 2, "edge_batch": "all", "path_batch": "all"}
    train_stack([make_run(task={"recipe": "mixed"}, train=whole)], device="cpu")
    first, *rest = map(tensors_of, given)
    assert len(rest) == 8
    for others in rest:
        assert all(a is b for a, b in zip(first, others, strict=True))


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
