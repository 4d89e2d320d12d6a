"""Before anything is timed: does everybody learn the same from the same examples?"""

import torch

from geomem.bench.throughput.contestants import Losses
from geomem.bench.throughput.loop import Loop
from geomem.bench.throughput.points import Config, checked_run

TOLERANCE = {"fp32": 1e-4, "bf16": 2e-2}
"""Relative, per step, by precision; rounding grows from step to step."""


DIFFERENT = "losses differ"


class LossesDiffer(Exception):
    """A contestant trains something else than the loop."""


Truth = dict[int, list[float]]
"""Loss of every step, by seed."""


def reference(config: Config, seeds: set[int], steps: int, device: str = "cpu") -> Truth:
    """Return the losses of the loop in fp64."""
    found: Truth = {seed: [] for seed in seeds}
    for seed, losses in found.items():
        loop = Loop(checked_run(config, seed, steps, 1), device, dtype=torch.float64)
        loop.train(steps, losses.append)
    return found


def compare(name: str, losses: Losses, truth: Truth, precision: str = "fp32") -> float:
    """Return the largest relative difference; raises LossesDiffer above the TOLERANCE."""
    worst, tolerance = 0.0, TOLERANCE[precision]
    for (seed, block), own in losses.items():
        steps = truth[seed]
        if len(own) * block != len(steps):
            raise LossesDiffer(f"{name}: {len(own) * block} losses for {len(steps)} steps")
        for i, found in enumerate(own):
            wanted = sum(steps[i * block : (i + 1) * block]) / block
            error = abs(found - wanted) / abs(wanted)
            if not error <= tolerance:
                raise LossesDiffer(
                    f"{name}: loss {found:.6g} at step {(i + 1) * block} of seed {seed}, where the "
                    f"loop in fp64 has {wanted:.6g}; nothing is timed"
                )
            worst = max(worst, error)
    return worst
