"""`pytest bench`: the loss on a CPU against eager PyTorch, at the sizes of the trainer."""

from typing import Any

import pytest
import torch

from geomem.bench.loss.inputs import make_inputs
from geomem.bench.loss.op import GRID, LinearCrossEntropyOp
from geomem.bench.variants import Point

OP = LinearCrossEntropyOp()
POINTS = [Point(dict(zip("NVDK", sizes, strict=True))) for sizes in GRID["cpu"]]


@pytest.mark.parametrize("name", ["geomem", "eager"])
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_gradients(benchmark: Any, point: Point, name: str) -> None:
    """Loss and gradients of both inputs."""
    torch.set_num_threads(1)
    benchmark.group = str(point)
    variant = next(v for v in OP.variants(point, "cpu", True) if v.name == name)
    benchmark(OP.calls(variant, make_inputs(point, "cpu", "half", 0))["both"]())
