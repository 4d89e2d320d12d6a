"""The comparison with a plain loop: same losses or nothing, and the command in its small size."""

import json

import pytest
from click.testing import CliRunner

from geomem.bench.commands import cli
from geomem.bench.throughput import losses, worker
from geomem.bench.throughput.catalog import G256, TINY
from geomem.bench.throughput.contestants import Contestant, LoopJob, StackJob, geomem
from geomem.bench.throughput.loop import Examples, Loop
from geomem.bench.throughput.points import (
    Shape,
    checked_run,
    examples_per_step,
    make_run,
    timed_run,
)
from geomem.bench.throughput.record import spread, step_rows
from geomem.bench.throughput.runner import Broken, Runner, take_turns
from geomem.bench.throughput.worker import Gate, Ready

STEPS = 6
SMALL = G256.at(smoke=True)


@pytest.mark.parametrize("point", [TINY, G256], ids=["tiny", "g256"])
def test_stack_and_loop_have_the_losses_of_the_loop_in_fp64(point):
    config = point.at(smoke=True)
    truth = losses.reference(config, {0, 2}, STEPS)
    ours = StackJob(config, "cpu", STEPS, 1, seeds=range(3), shown=(0, 2)).check()
    assert ours.keys() == {(0, 1), (2, 1), (0, STEPS), (2, STEPS)}, "step by step, and as one"
    assert losses.compare("geomem", ours, truth) < 1e-5
    for ready in (False, True):
        loop = LoopJob(config, "cpu", STEPS, 1, ready=ready).check()
        assert losses.compare("loop", loop, truth) < 1e-5
    assert truth[0][-1] < truth[0][0], "it learns"
    assert truth[0] != truth[2], "each seed has its own run"


def test_bfloat16_has_those_losses_within_its_own_rounding():
    truth = losses.reference(SMALL, {0, 1}, STEPS)
    loop = LoopJob(SMALL, "cpu", STEPS, 1, bf16=True).check()
    (ours,) = geomem(SMALL, "cpu", STEPS, Shape(2, precision="bf16")).jobs
    for found in (loop, ours.check()):
        assert 1e-6 < losses.compare("x", found, truth, "bf16") < 1e-3


@pytest.mark.parametrize(
    "change",
    [{"lr": 4.1e-3}, {"weight_decay": 0.5}, {"betas": (0.8, 0.999)}, {"final_lr_fraction": 0.5}],
    ids=str,
)
def test_another_optimiser_is_noticed(change):
    truth = losses.reference(SMALL, {0}, 20)
    other = {**SMALL, "optim": {**SMALL["optim"], **change}}
    found = LoopJob(other, "cpu", 20, 1).check()
    with pytest.raises(losses.LossesDiffer, match=r"x: loss .* at step .* of seed 0"):
        losses.compare("x", found, truth)


def test_other_examples_and_missing_steps_are_noticed():
    truth = losses.reference(SMALL, {0, 1}, STEPS)
    with pytest.raises(losses.LossesDiffer, match="step 1 of seed 0"):
        losses.compare("x", {(0, 1): truth[1]}, truth)
    with pytest.raises(losses.LossesDiffer, match="5 losses for 6 steps"):
        losses.compare("x", {(0, 1): truth[0][:-1]}, truth)
    with pytest.raises(losses.LossesDiffer):
        losses.compare("x", {(0, 1): [float("nan")] * STEPS}, truth)
    halves = [sum(truth[0][:3]) / 3, sum(truth[0][3:]) / 3]
    assert losses.compare("x", {(0, 3): halves}, truth) == 0
    with pytest.raises(losses.LossesDiffer, match="step 6 of seed 0"):
        losses.compare("x", {(0, 3): halves[:1] * 2}, truth)


def test_the_loop_pads_both_kinds_to_one_length_and_scores_targets_alone():
    loop = Loop(checked_run(SMALL, 0, 1, 1), "cpu")
    examples = loop.loader.dataset
    assert isinstance(examples, Examples)
    assert len(examples) == 2 * 64 + 16
    edge_tokens, edge_labels = examples[0]
    assert edge_labels.ge(0).tolist() == [False, True] + [False] * 5
    path_tokens, path_labels = examples[-1]
    assert path_labels.ge(0).tolist() == [False] * 2 + [True] * 5
    assert edge_tokens.shape == path_tokens.shape == (7,)
    tokens, labels = next(iter(loop.loader))
    assert tokens.shape == labels.shape == (38, 7)


def test_a_step_counts_its_examples():
    assert examples_per_step(timed_run(TINY.config, 0, 1)) == 32
    assert examples_per_step(timed_run(G256.config, 0, 1)) == 560
    run = make_run({**TINY.config, "task": {"edges": "forward"}}, 0, 1, 1)
    assert examples_per_step(run) == 16


def test_members_of_several_processes_have_seeds_of_their_own():
    contestant = geomem(TINY.config, "cpu", STEPS, Shape(4, processes=2))
    assert [list(job.seeds) for job in contestant.jobs] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert contestant.name == "geomem K=4, 2 processes, 1 thread"


class _Fake:
    def __init__(self, name, side, rates):
        self.name, self.side, self._left = name, side, list(rates)
        self.rates, self.cpu_seconds, self.peak_bytes = [], [0.5], 7
        self.log = []

    def window(self, seconds):
        self.log.append(seconds)
        return self._left.pop(0)


def test_ratios_are_of_windows_of_one_round_with_the_best_loop():
    ours = _Fake("ours", "geomem", [99, 10, 40, 90])
    slow = _Fake("slow", "loop", [99, 1, 1, 1])
    fast = _Fake("fast", "loop", [99, 1, 2, 3])
    take_turns([ours, slow, fast], 0.5, range(3, 3), in_time=lambda: False)
    assert ours.log == [0.5] * 4, "one to warm up"
    row = step_rows("tiny", [ours, slow, fast], examples=32)[0]
    assert row.spread["over_loop"] == spread([10, 20, 30])
    assert row.figures["examples_per_second"] == 40 * 32
    assert "over_compiled" not in row.spread
    assert row.figures["cpu_over_loop"] == 1


def test_a_peer_that_is_far_slower_than_another_of_its_side_takes_no_part():
    one = _Fake("geomem K=1", "geomem", [1, 1])
    many = _Fake("geomem K=9", "geomem", [9, 9])
    fast = _Fake("loop, 1 thread", "loop", [6, 6])
    slow = _Fake("loop, 2 threads", "loop", [1])
    slower = _Fake("loop, compiled", "compiled", [1, 1])
    left = take_turns([one, many, fast, slow, slower], 0.5, range(1, 1), in_time=lambda: True)
    assert left == {"loop, 2 threads": "left out: 1 steps/s, the best of its side has 6"}
    assert one.rates == slower.rates == [1]
    assert not slow.rates


def test_time_ends_the_rounds():
    fake = _Fake("ours", "geomem", range(9))
    take_turns([fake], 0.5, range(2, 8), in_time=lambda: False)
    assert len(fake.rates) == 2


class _Failing(LoopJob):
    def check(self):
        raise ValueError("no such thing")


class _Dying(LoopJob):
    def check(self):
        import os

        os._exit(3)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(_Failing, "failed: ValueError: no such thing"), (_Dying, "failed: its process ended")],
)
def test_a_process_that_fails_says_why(kind, reason):
    runner = Runner(Contestant("x", "loop", [kind(TINY.config, "cpu", 1, 1)]))
    with pytest.raises(Broken, match=reason):
        runner.ready()
    runner.close()


def test_the_command_leaves_a_table_a_picture_and_json(tmp_path, monkeypatch):
    monkeypatch.setattr("geomem.bench.throughput.steps.SMOKE_SHAPES", (Shape(3),))
    arguments = ["throughput", "--point", "tiny", "--smoke", "--device", "cpu", "--no-compile"]
    outcome = CliRunner().invoke(cli, [*arguments, "--out", str(tmp_path)], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    saved = json.loads((tmp_path / "throughput.json").read_text())
    assert saved["finished"]
    assert {"device_name", "commit", "packages"} <= saved["environment"].keys()
    rows = {row["contestant"]: row for row in saved["rows"]}
    timed = [row for row in rows.values() if row["status"] == "ok"]
    assert {row["side"] for row in timed} == {"geomem", "loop", "ready"}
    for row in timed:
        assert row["figures"]["loss_error"] < 1e-5
        assert row["spread"]["over_loop"]["p50"] > 0
    assert rows["loop, compiled, 1 thread"]["status"] == "not asked for"
    assert (tmp_path / "tiny.png").stat().st_size > 1000
    assert "x loop" in outcome.stdout


def test_a_point_whose_losses_differ_is_not_timed_and_others_are(monkeypatch):
    monkeypatch.setitem(losses.TOLERANCE, "fp32", 0.0)
    monkeypatch.setattr("geomem.bench.throughput.steps.take_turns", pytest.fail)
    monkeypatch.setattr("geomem.bench.throughput.steps.SMOKE_SHAPES", (Shape(1),))
    monkeypatch.setattr("geomem.bench.throughput.steps.loops", lambda *_: [])
    arguments = ["--point", "tiny", "--point", "memory", "--device", "cpu", "--no-compile"]
    outcome = CliRunner().invoke(cli, ["throughput", *arguments, "--smoke"])
    assert outcome.exit_code == 1
    assert "losses differ: geomem" in outcome.output
    assert "nothing is timed" in outcome.output
    assert "geomem K=1" in outcome.output  # the point of memory


def test_a_profile_names_the_costliest_ops(tmp_path):
    arguments = ["throughput", "--point", "tiny", "--smoke", "--device", "cpu", "--profile"]
    outcome = CliRunner().invoke(cli, [*arguments, "--out", str(tmp_path)], catch_exceptions=False)
    assert outcome.exit_code == 0
    saved = json.loads((tmp_path / "throughput.json").read_text())
    step, *ops = saved["rows"]
    assert step["figures"]["seconds"] > 0
    assert sum(op["figures"]["share"] for op in ops) == pytest.approx(1.0, abs=1e-3)
    shares = [op["figures"]["share"] for op in ops[:12]]
    assert shares == sorted(shares, reverse=True)
    assert all(op["figures"]["calls"] > 0 for op in ops[:12])  # which they are depends on time
    assert "aten::" in outcome.stdout


class _Pipe:
    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(message)

    def recv(self):
        return 2.5


def test_a_window_goes_on_in_the_next_run_and_leaves_out_what_lies_between(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(worker.time, "perf_counter", lambda: float(next(clock)))
    pipe = _Pipe()
    gate = Gate(pipe, {(0, 1): [1.0]}, "cpu", before=0)
    gate.report(5)  # at 0; the window begins at 1
    assert pipe.sent == [Ready({(0, 1): [1.0]})]
    gate.report(7)  # at 2
    gate.begin_anew()
    gate.report(1)  # at 3: where its span begins
    assert len(pipe.sent) == 1
    gate.report(4)  # at 4
    assert len(pipe.sent) == 1
    gate.report(6)  # at 5
    window = pipe.sent[1]
    assert (window.member_steps, window.seconds) == ((7 - 5) + (6 - 1), 1.0 + 2.0)
    assert window.peak_bytes > 0
