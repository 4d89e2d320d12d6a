"""Every launch of the optimiser step, compiled for sm_90 and held to its limits."""

import re

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed")

from geomem.kernels.adamw_step import configs, fused
from geomem.kernels.adamw_step.problem import Arrays
from tests.kernels import adamw_cases as cases
from tests.kernels.sm90 import compile_launch, record


@pytest.mark.parametrize("P", [1, configs.SMALL - 1, configs.SMALL, 4097, 16384])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shadow", [False, True])
def test_one_launch_without_spills(monkeypatch, P, dtype, shadow):
    p, m, v = cases.start(3, P, dtype)
    x = Arrays([p], [p.clone()], [m], [v], [p.bfloat16()] if shadow else [])
    on, h = torch.ones(3, dtype=torch.bool), cases.hyper([1, 2, 3], dtype)
    (launch,) = record(monkeypatch, lambda: fused.run(x, h, on))
    cost = compile_launch(launch)
    assert cost.registers <= (64 if dtype == torch.float32 else 160)
    assert cost.stack == 0
    assert ".atom" not in cost.ptx
    if dtype == torch.float32 and P % 16 == 0:  # gradient, moments and parameters, 16 bytes each
        assert len(re.findall(r"ld\.global\.v4", cost.ptx)) >= 4
