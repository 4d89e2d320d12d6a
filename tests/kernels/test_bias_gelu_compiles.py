"""Every launch of bias and GELU, compiled for sm_90."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed")

from geomem.kernels.bias_gelu import fused
from tests.kernels import bias_gelu_cases as cases
from tests.kernels.sm90 import compile_launch, record


@pytest.mark.parametrize("width", [16, 100, 128, 256, 1536, 3136])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_compiles_without_spills(monkeypatch, width, dtype):
    x, bias = cases.inputs(1, 40, width, dtype)
    launches = record(monkeypatch, lambda: (fused.forward(x, bias), fused.backward(x, bias, x)))
    assert [launch.kernel.__name__ for launch in launches] == ["forward_kernel", "backward_kernel"]
    for launch in launches:
        cost = compile_launch(launch)
        assert cost.registers <= 128  # two programs of eight warps and more find room
        assert cost.stack == 0
        assert ".atom" not in cost.ptx
        assert ".red." not in cost.ptx
        if width % 16 == 0:
            assert "ld.global.v4" in cost.ptx  # 16 bytes at a time
