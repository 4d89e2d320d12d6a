"""Before anything is timed: does everybody learn the same from the same examples?"""

import torch

from geomem.bench.throughput.contestants import Losses
from geomem.bench.throughput.loop import Loop
from geomem.bench.throughput.points import Config, checked_run

TOLERANCE = 1e-4
"""Relative, per step; rounding grows from step to step."""


class LossesDiffer(Exception):
    """A contestant trains something else than the loop."""


def reference(config: Config, seeds: set[int], steps: int) -> Losses:
    """Return the losses of the loop in fp64 on the CPU."""
    found: Losses = {seed: [] for seed in seeds}
    for seed, losses in found.items():
        loop = Loop(checked_run(config, seed, steps), "cpu", dtype=torch.float64)
        loop.train(steps, losses.append)
    return found


def compare(name: str, losses: Losses, truth: Losses) -> float:
    """Return the largest relative difference; raises LossesDiffer above TOLERANCE."""
    worst = 0.0
    for seed, own in losses.items():
        if len(own) != len(truth[seed]):
            raise LossesDiffer(f"{name}: {len(own)} losses for {len(truth[seed])} steps")
        for step, (found, wanted) in enumerate(zip(own, truth[seed], strict=True), 1):
            error = abs(found - wanted) / abs(wanted)
            if not error <= TOLERANCE:
                raise LossesDiffer(
                    f"{name}: loss {found:.6g} at step {step} of seed {seed}, where the loop in "
                    f"fp64 has {wanted:.6g}; nothing is timed"
                )
            worst = max(worst, error)
    return worst
