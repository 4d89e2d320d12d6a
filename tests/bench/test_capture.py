"""Timing on CUDA with stand-ins for the device: what is captured, and what happens if it fails."""

from contextlib import contextmanager, nullcontext

import pytest
import torch

from geomem.bench import timing
from geomem.bench.capture import Stage
from geomem.bench.clock import QUICK, Measurement, Pace, interleave, percentile
from geomem.bench.loss.op import LinearCrossEntropyOp
from geomem.bench.variants import Point, is_out_of_memory


class _Stream:
    def wait_stream(self, other):
        pass

    def synchronize(self):
        pass


class _Event:
    def __init__(self, enable_timing):
        assert enable_timing

    def record(self):
        pass

    def elapsed_time(self, end):
        return 6.0


class _Graph:
    def replay(self):
        self.replays = getattr(self, "replays", 0) + 1


@pytest.fixture
def device(monkeypatch):
    """Put stand-ins in torch.cuda; return a list of events that tests look at."""
    seen = []

    @contextmanager
    def graph(cuda_graph, pool, stream):
        seen.append(("capture", pool))
        try:
            yield
        except Exception:
            raise RuntimeError("operation failed due to a previous error during capture") from None

    fakes = {
        "Stream": _Stream,
        "Event": _Event,
        "CUDAGraph": _Graph,
        "graph": graph,
        "stream": lambda stream: nullcontext(),
        "current_stream": _Stream,
        "graph_pool_handle": object,
        "synchronize": lambda: None,
        "empty_cache": lambda: seen.append(("empty", None)),
        "mem_get_info": lambda: (1 << 30, 1 << 31),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    return seen


def _failing(at, error):
    calls = []

    def call():
        calls.append(None)
        if len(calls) == at:
            raise error

    return call


def test_every_set_is_captured_once_and_a_sample_is_the_mean_over_them(device):
    done = []
    calls = [lambda i=i: done.append(i) for i in range(4)]
    timer = Stage("cuda").timer(calls, capturable=True)
    assert timer.how == "graph"
    assert done[-4:] == [0, 1, 2, 3]
    captured = len(done)
    assert timer.run(2) == [6e-3 / 4] * 2
    assert len(done) == captured, "a replay calls nothing"


def test_what_cannot_be_captured_is_timed_by_events(device):
    stage = Stage("cuda")
    assert stage.timer([lambda: None], capturable=False).how == "events"
    assert not [seen for seen in device if seen[0] == "capture"]
    timer = stage.timer([_failing(4, ValueError("no sync in a capture"))], capturable=True)
    assert timer.how == "events (capture failed)"
    stage.timer([lambda: None], capturable=True)
    pools = [pool for kind, pool in device if kind == "capture"]
    assert pools[0] is not pools[1], "the pool of a failed capture is not used again"


def test_memory_that_runs_out_in_a_capture_is_told_apart(device):
    stage = Stage("cuda")
    error = torch.OutOfMemoryError("out of memory")
    with pytest.raises(RuntimeError) as raised:
        stage.timer([_failing(4, error)], capturable=True)
    assert is_out_of_memory(raised.value), "by the exception that it followed"
    timer = stage.timer([_failing(4, error)], capturable=True, last_chance=True)
    assert timer.how == "events (capture failed)"


def test_sets_rotate_over_more_than_a_cache_or_what_fits(device, monkeypatch):
    op, point = LinearCrossEntropyOp(), Point({"N": 64, "V": 64, "D": 32, "K": 2})
    each = 2 * (2 * 64 * 32 * 4 + 64 * 8)  # float32 on this device; targets int64
    monkeypatch.setattr(op, "inputs", lambda p, d, r, seed: LinearCrossEntropyOp().inputs(
        p, "cpu", r, seed
    ))  # fmt: skip
    monkeypatch.setitem(timing.ROTATED_BYTES, "cuda", 5 * each)
    assert len(timing.rotating_sets(op, point, "cuda")) == 5
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (8 * each, 0))
    assert len(timing.rotating_sets(op, point, "cuda")) == 3


def test_windows_take_turns_in_alternating_order():
    order = []

    class Timer:
        how = "a list"

        def __init__(self, name):
            self.name = name

        def run(self, n):
            order.append(self.name)
            return [1.0] * n

    pace = Pace(warm=0.0, window=0.0, least_rounds=3, most_rounds=9)
    interleave([Measurement(Timer(n)) for n in "ab"], pace, in_time=lambda: False)
    assert order == list("ab" + "abbaab"), "a warm run each, then three rounds"


def test_a_timer_that_fails_leaves_the_others_alone():
    class Timer:
        how = ""

        def run(self, n):
            raise ValueError("broken")

    class Fine(Timer):
        def run(self, n):
            return [1.0] * n

    broken, fine = Measurement(Timer()), Measurement(Fine())
    interleave([broken, fine], QUICK, in_time=lambda: False)
    assert str(broken.failure) == "broken"
    assert fine.failure is None
    assert fine.percentiles()["p50"] == 1.0


def test_percentiles_interpolate():
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0, 2.0], 0.2) == pytest.approx(1.2)
    assert percentile([5.0], 0.8) == 5.0
