"""Every launch of dropout, compiled for sm_90."""

import re

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed")

from geomem.kernels.dropout import fused
from tests.kernels import dropout_cases as cases
from tests.kernels.sm90 import compile_launch, record


@pytest.mark.parametrize("shape", [(3, 5, 8), (2, 7, 33), (1, 40, 64), (1, 9, 3136), (4,)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_compiles_without_spills(monkeypatch, shape, dtype):
    x, *others = cases.inputs(*shape, dtype=dtype)
    launches = record(
        monkeypatch,
        lambda: fused.backward(fused.forward(x, *others), *others, dtype),
    )
    assert [launch.kernel.__name__ for launch in launches] == ["forward_kernel", "backward_kernel"]
    for launch in launches:
        cost = compile_launch(launch)
        assert cost.registers <= 64  # eight programs of four warps find room
        assert cost.stack == 0
        assert "div.rn.f32" in cost.ptx
        assert ".ftz" not in cost.ptx
        assert "div.full" not in cost.ptx
        assert "mul.lo.s64" in cost.ptx
        assert not re.search(r"shr\.s64", cost.ptx)  # shifts of draws bring in zeros
        if x[0].numel() % 16 == 0:
            assert "ld.global.v4" in cost.ptx  # 16 bytes at a time


def test_a_kernel_is_compiled_once_for_every_site():
    for kernel in (fused.forward_kernel, fused.backward_kernel):
        assert [p.name for p in kernel.params if p.do_not_specialize_on_alignment] == ["site"]
