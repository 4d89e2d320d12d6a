"""The points of the throughput benchmark other than steps per second, in their small sizes."""

import json

import pytest

from geomem.bench.throughput import goals, means, memory
from geomem.bench.throughput.catalog import G5000, MEMORY, POINTS, SWEEP1000
from geomem.bench.throughput.means import NEEDS_CUDA, Means
from geomem.bench.throughput.points import StepPoint, make_run
from geomem.bench.throughput.session import Request, run
from geomem.bench.throughput.sweeps import sweep_point
from geomem.bench.throughput.tables import tables
from geomem.train.config.grid_file import load_grid


def _means(smoke=True):
    return Means("cpu", smoke, 5.0, False, 1, lambda line: None)


@pytest.fixture
def here(monkeypatch):
    """Call in this process what has one of its own."""
    for module in (goals, memory):
        monkeypatch.setattr(module, "alone", lambda function, *arguments: function(*arguments))


def test_time_to_accuracy_shows_the_course_and_whether_it_got_there(here):
    (row,) = goals.goal_point("g5000", G5000, _means())
    assert row.status.startswith("not reached: 0.")
    assert row.series["step"] == [2, 4, 6]
    assert len(row.series["accuracy"]) == len(row.series["loss"]) == 3
    assert row.figures["training_seconds"] > 0
    assert row.figures["seconds"] > row.figures["training_seconds"] - 1e-3  # rounded to that
    assert "g5000: G(5000, 5)" in tables([row])


def test_memory_shows_the_peak(here):
    (row,) = memory.memory_point("memory", MEMORY, _means())
    assert row.status == "ok"
    assert row.figures["peak_bytes"] > 1 << 20
    assert row.figures["seconds"] > 0


def test_what_runs_alone_has_a_process_of_its_own():
    import os

    assert means.alone(os.getpid) != os.getpid()


def test_a_sweep_counts_its_runs_and_packs():
    total, *sizes = sweep_point("sweep1000", SWEEP1000, _means())
    assert total.status == "ok"
    assert total.figures["runs"] == 4
    assert total.figures["packs"] == 2
    assert [row.contestant for row in sizes] == ["8 arms", "16 arms"]
    assert all(0 <= row.figures["lowest"] <= row.figures["accuracy"] <= 1 for row in sizes)


def test_a_sweep_that_fails_says_so(monkeypatch):
    monkeypatch.setattr(
        "geomem.bench.throughput.sweeps.COMMAND", ("sh", "-c", "echo no disk >&2; exit 74")
    )
    (row,) = sweep_point("sweep1000", SWEEP1000, _means())
    assert row.status == "failed: no disk"


def test_mamba_is_what_the_kernels_benchmark_says():
    result = run(Request(["mamba"], "cpu", smoke=True, seconds=1e6), say=lambda line: None)
    rows = {row.contestant: row for row in result.rows}
    assert rows["geomem"].figures["geomem_over_it"] == 1
    peer = rows["transformers slow path"]
    if peer.status == "ok":
        assert peer.figures["geomem_over_it"] > 0
        assert peer.figures["loss_error"] < 1e-2


def test_points_for_a_gpu_are_skipped_on_a_cpu_and_say_so():
    names = ["g5000_steps", "sweep1000", "memory"]
    result = run(Request(names, "cpu"), say=lambda line: None)
    assert [(row.point, row.status) for row in result.rows] == [(n, NEEDS_CUDA) for n in names]
    assert tables(result.rows).count(NEEDS_CUDA) == 3


def test_every_run_of_the_points_is_a_valid_configuration(tmp_path):
    for point in POINTS.values():
        if isinstance(point, StepPoint):
            make_run(point.config, 0, 100, 10)
    for goal in (goal for found in G5000.goals.values() for goal in found):
        make_run(goal.config, 0, goal.steps, goal.eval_every)
    make_run(MEMORY.config, 0, 100, 10)
    grid = tmp_path / "grid.yaml"
    grid.write_text(json.dumps(SWEEP1000.grid))
    assert len(load_grid(grid).runs) == 1000
