"""`pytest bench`: twenty steps of training on a CPU, from the start to the last evaluation."""

from typing import Any

import pytest
import torch

from geomem.bench.throughput.catalog import G256
from geomem.bench.throughput.contestants import LoopJob
from geomem.bench.throughput.points import make_run
from geomem.train.stack import train_stack

STEPS = 20


@pytest.mark.parametrize("members", [8, 1, 0], ids=["K=8", "K=1", "loop"])
def test_training(benchmark: Any, members: int) -> None:
    """Stacks of G(256, 5), and the plain loop, which does not evaluate."""
    torch.set_num_threads(1)
    runs = [make_run(G256.config, seed, STEPS, STEPS) for seed in range(members)]
    call = (lambda: train_stack(runs)) if runs else LoopJob(G256.config, "cpu", STEPS, 1).check
    benchmark.pedantic(call, rounds=3)
