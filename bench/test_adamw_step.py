"""`pytest bench`: the optimiser step on a CPU against its formula and PyTorch's own."""

from typing import Any

import pytest
import torch

from geomem.bench.adamw.inputs import make_inputs
from geomem.bench.adamw.op import GRID, AdamWStepOp
from geomem.bench.variants import Point

OP = AdamWStepOp()
POINTS = [Point(dict(zip("KPS", sizes, strict=True))) for sizes in GRID["cpu"]]


@pytest.mark.parametrize("name", ["geomem", "geomem reference", "torch AdamW fused"])
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_step(benchmark: Any, point: Point, name: str) -> None:
    """One step in place."""
    torch.set_num_threads(1)
    benchmark.group = str(point)
    variant = next(v for v in OP.variants(point, "cpu", True) if v.name == name)
    benchmark(OP.calls(variant, make_inputs(point, "cpu", 0))["step"]())
