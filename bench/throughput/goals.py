"""Time to a stated accuracy, from a cold start of the process to the last evaluation."""

import time
from dataclasses import dataclass

from geomem.bench.machine import peak_bytes
from geomem.bench.throughput.means import NEEDS_CUDA, Means, alone
from geomem.bench.throughput.points import Goal, GoalPoint, make_run
from geomem.bench.throughput.record import Row

METRIC = "exact_match"


@dataclass(frozen=True)
class Course:
    """Held-out exact match at each evaluation, after how many steps, and the loss meanwhile."""

    steps: list[float]
    accuracy: list[float]
    loss: list[float]
    training_seconds: float
    cpu_seconds: float
    peak_bytes: int


def goal_point(name: str, point: GoalPoint, means: Means) -> list[Row]:
    """Return a row per goal."""
    goals = point.smoke if means.smoke else point.goals.get(means.device, ())
    if not goals:
        return [Row(name, "all", "point", NEEDS_CUDA)]
    return [_row(name, goal, means) for goal in goals]


def _row(name: str, goal: Goal, means: Means) -> Row:
    means.say(f"{name}: {goal.name}, to {goal.reaches:.0%}")
    begin = time.monotonic()
    threads = min(goal.threads, means.threads)
    course = alone(train_to, goal, means.device, threads)
    seconds = time.monotonic() - begin
    best = max(course.accuracy)
    status = "ok" if best >= goal.reaches else f"not reached: {best:.3f} at best"
    if status == "ok" and seconds > goal.seconds and not means.smoke:
        status = f"later than {goal.seconds:.0f} s"
    row = Row(name, goal.name, "geomem", status)
    row.figures = {
        "seconds": seconds,
        "training_seconds": course.training_seconds,
        "cpu_seconds": course.cpu_seconds,
        "steps": course.steps[-1],
        "reaches": goal.reaches,
        "accuracy": course.accuracy[-1],
        "threads": threads,
        "peak_bytes": course.peak_bytes,
    }
    row.series = {"step": course.steps, "accuracy": course.accuracy, "loss": course.loss}
    return row


def train_to(goal: Goal, device: str, threads: int) -> Course:
    """Train until the goal is reached, or to the end of the run."""
    import torch

    from geomem.train.stack import train_stack

    torch.set_num_threads(threads)
    stop = {"metric": METRIC, "reaches": goal.reaches}
    config = {**goal.config, "train": {**goal.config["train"], "stop_when": stop}}
    result = train_stack([make_run(config, 0, goal.steps, goal.eval_every)], device=device)
    tensors = result.tensors
    return Course(
        tensors["metrics_step"].tolist(),
        tensors[f"metrics/{METRIC}"][0].tolist(),
        tensors["metrics/loss"][0].tolist(),
        result.metadata["wall_seconds"],
        time.process_time(),
        peak_bytes(device),
    )
