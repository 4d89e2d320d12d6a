"""What checks measure of runs. Accuracies are those on held-out paths.

K members · n nodes · m embedding width · Q held-out paths
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from geomem.analysis.arrays import Floats, Ints
from geomem.analysis.batches import Batch, Measures, measure
from geomem.analysis.findings.settings import Measure
from geomem.analysis.sweeps import Member

Curve = tuple[Ints, Floats]
POINTS = 10
"""Measurements that a time has to be resolved by."""
RESOLVED = f"every token learned and {POINTS} measurements until the first hop is"
"""What `cascade` needs."""


def per_run(name: str, value: Callable[[Member], float], needs: str = "") -> Measure:
    """A measure of the runs that have the tensor."""

    def of(members: Sequence[Member]) -> dict[str, float]:
        return {member.row["run"]: value(member) for member in members if member.has(name)}

    return Measure(of, needs)


def of_embedding(name: str, compute: Callable[[Batch], Measures], needs: str = "") -> Measure:
    """A measure [K] of the embeddings at the end, pack by pack."""

    def of(members: Sequence[Member]) -> dict[str, float]:
        return {row.run: row.metrics.get(name, math.nan) for row in measure(members, compute)}

    return Measure(of, needs)


def final(metric: str) -> Measure:
    """The last value; a run that diverged gets nothing right."""
    return per_run(f"metrics/{metric}", lambda m: m.final(metric) if m.done else 0.0)


def peak(metric: str) -> Measure:
    """The highest value while paths are trained; 0 if the run diverged before any."""

    def of(steps: Ints, values: Floats) -> float:
        return float(values.max())

    return _of_path_stage(metric, of, diverged=0.0)


def fall(metric: str) -> Measure:
    """How much of the highest value while paths are trained is gone at the end."""
    return _of_path_stage(metric, lambda steps, values: float(values.max() - values[-1]))


def peak_step(metric: str) -> Measure:
    """At which step of the training of paths the highest value was measured."""
    return _of_path_stage(metric, lambda steps, values: float(steps[values.argmax()]))


def _of_path_stage(
    metric: str, value: Callable[[Ints, Floats], float], diverged: float = math.nan
) -> Measure:
    """A measure of the curve while paths are trained, its steps counted from there.

    That is after the edge stage of the staged recipe; any other trains paths from the start.
    """

    def of(member: Member) -> float:
        steps, values = _curve(member, metric)
        steps = steps - (member.config["train"]["edge_steps"] or 0)
        if (inside := steps > 0).any():
            return value(steps[inside], values[inside])
        return math.nan if member.done else diverged

    return per_run(f"metrics/{metric}", of, "an evaluation in the path stage")


def mean_over_training(metric: str) -> Measure:
    """The mean over all measurements: what is learned earlier has more of it. 0 if diverged."""

    def of(member: Member) -> float:
        return float(_curve(member, metric)[1].mean()) if member.done else 0.0

    return per_run(f"metrics/{metric}", of)


def first_reached(steps: Ints, values: Floats, level: float) -> float:
    """The first step with at least that value, infinite without one."""
    reached = np.flatnonzero(values >= level)
    return float(steps[reached[0]]) if len(reached) else math.inf


def cascade(member: Member) -> float:
    """How far a right-to-left cascade goes: the smallest lead of a token over the one before it.

    Of the tokens between root and goal (in the order root to goal), by the step at which held-out
    accuracy is halfway between chance and 1, in units of the first hop's. NaN if one of them is
    never learned, if there are fewer than two, or if fewer than ten measurements were taken until
    the first hop was learned.
    """
    steps, values = _curve(member, "target_accuracy")
    if member.config["task"]["reverse_paths"]:
        values = values[:, ::-1]
    graph = member.config["graph"]
    level = (1 + 1 / graph["arms"]) / 2 if "arms" in graph else 0.5
    inner = range(1, values.shape[1] - 1)
    times = np.array([first_reached(steps, values[:, at], level) for at in inner])
    if len(times) < 2 or not np.isfinite(times).all() or (steps <= times[0]).sum() < POINTS:
        return math.nan
    return float(((times[:-1] - times[1:]) / times[0]).min())


def lowest_unseen_token(member: Member) -> float:
    """The lowest accuracy of a target token that does not stand in the prompt, as the leaf does.

    A leaf that no example has as a target cannot be copied either; that is left out here.
    """
    if not member.done:
        return 0.0
    last = _curve(member, "target_accuracy")[1][-1]
    return float((last[1:] if member.config["task"]["reverse_paths"] else last[:-1]).min())


def _curve(member: Member, metric: str) -> Curve:
    """Steps [S] and values [S, ...] where the metric was measured."""
    values = member.tensor(f"metrics/{metric}")
    known = ~np.isnan(values.reshape(len(values), -1)).any(1)
    return member.tensor("metrics_step")[known], values[known]
