"""Every launch of the residual addition and the norm after it, compiled for sm_90."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed")

from geomem.kernels.add_norm import configs, fused
from geomem.kernels.add_norm.problem import Inputs
from tests.kernels import add_norm_cases as cases
from tests.kernels.sm90 import compile_launch, record

HALF, SINGLE = torch.bfloat16, torch.float32


@pytest.mark.parametrize("D", [16, 64, 100, 384, 784, configs.WIDEST])
@pytest.mark.parametrize(("x", "y"), [(SINGLE, HALF), (SINGLE, SINGLE), (HALF, None)])
def test_compiles_without_spills(monkeypatch, D, x, y):
    given = Inputs(*cases.inputs(1, 40, D, x, y, centred=x == SINGLE).values())
    out, total = given.x.to(HALF), given.x
    launches = record(monkeypatch, lambda: fused.forward(given, HALF))
    launches += record(
        monkeypatch,
        lambda: fused.backward(total, given.weight, fused.Had.of(given), total, out),
    )
    assert [launch.kernel.__name__ for launch in launches] == ["forward_kernel", "backward_kernel"]
    for launch in launches:
        cost = compile_launch(launch)
        assert cost.registers <= 255
        assert cost.stack == 0
        assert ".atom" not in cost.ptx
        assert ".red." not in cost.ptx
        if D % 16 == 0:
            assert "ld.global.v4" in cost.ptx  # 16 bytes at a time
