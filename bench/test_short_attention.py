"""`pytest bench`: attention on a CPU against its reference in eager PyTorch."""

from typing import Any

import pytest
import torch

from geomem.bench.attention.inputs import make_inputs
from geomem.bench.attention.op import GRID, ShortAttentionOp
from geomem.bench.variants import Point

OP = ShortAttentionOp()
POINTS = [Point(dict(zip("KBTPHD", sizes, strict=True))) for sizes in GRID["cpu"]]


@pytest.mark.parametrize("name", ["geomem", "geomem reference"])
@pytest.mark.parametrize("at", OP.passes)
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_attention(benchmark: Any, point: Point, at: str, name: str) -> None:
    """Forward, backward, and both."""
    torch.set_num_threads(1)
    benchmark.group = f"{point} {at}"
    variant = next(v for v in OP.variants(point, "cpu", True) if v.name == name)
    benchmark(OP.calls(variant, make_inputs(point, "cpu", "even", 0))[at]())
