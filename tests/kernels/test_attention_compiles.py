"""Every launch of short attention, compiled for sm_90 and held to its limits."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed")

from geomem.kernels.blocks import Block
from geomem.kernels.short_attention import configs, fused, packed
from geomem.kernels.short_attention.problem import Inputs
from tests.kernels.attention_cases import NAMES, inputs, packed_inputs
from tests.kernels.sm90 import SHARED_MEMORY, compile_launch, record

SIZES = {16: (5, 1), 32: (20, 2), 64: (40, 2)}  # T and P that are given a tile of so many rows
TILES = [
    (dtype, rows, columns)
    for dtype in (torch.bfloat16, torch.float32)
    for rows, warps in configs.WARPS[dtype].items()
    for columns in warps
]


def _launches(monkeypatch, dtype, T, P, width):
    x = inputs(2, 30, T, P, 2, width, dtype)
    tensors = Inputs(*(x.get(name) for name in NAMES))
    do = torch.zeros(2, 30, T, 2, width, dtype=dtype)
    return record(monkeypatch, lambda: (fused.forward(tensors), fused.backward(tensors, do)))


def _packed_launches(monkeypatch, dtype, T, P, width):
    blocks = [Block(P, 30, T)]
    x = packed_inputs(2, blocks, 2, width, dtype)
    do = torch.zeros(2, P + 30 * T, 2, width, dtype=dtype)
    return record(
        monkeypatch,
        lambda: (packed.run(*x.values(), blocks), packed.gradients(*x.values(), blocks, do)),
    )


def _check(launches):
    for launch in launches:
        cost = compile_launch(launch)
        assert cost.registers <= 255
        assert cost.stack == 0, f"{launch.kernel.__name__} spills {cost.stack} bytes"
        assert cost.shared <= SHARED_MEMORY
        assert ".atom" not in cost.ptx
        assert ".red." not in cost.ptx


@pytest.mark.parametrize("make", [_launches, _packed_launches])
@pytest.mark.parametrize(("dtype", "rows", "columns"), TILES)
def test_every_tile(monkeypatch, dtype, rows, columns, make):
    *launches, last = make(monkeypatch, dtype, *SIZES[rows], columns)
    assert [launch.kernel.__name__ for launch in launches] == ["forward_kernel", "backward_kernel"]
    for launch in launches:
        assert (launch.arguments["BM"], launch.arguments["BD"]) == (rows, columns)
    assert last.kernel.__name__ == "prefix_kernel"
    _check([*launches, last])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_without_a_prefix_and_with_ragged_heads(monkeypatch, dtype):
    _check(_launches(monkeypatch, dtype, 7, 0, 6))
    _check(_packed_launches(monkeypatch, dtype, 7, 0, 6))


def test_rows_of_a_tile_follow_from_what_fills_them():
    def rows(T, P):
        return configs.rows(torch.bfloat16, T, P, 64)

    assert [rows(T, 0) for T in (1, 8, 9, 16, 17, 32, 33, 64)] == [16, 16, 16, 16, 32, 32, 64, 64]
    assert [rows(1, 1), rows(6, 1), rows(1, 2), rows(5, 3), rows(5, 9)] == [16, 16, 32, 32, 64]
    assert configs.rows(torch.float32, 1, 1, 16) == 32  # narrow tiles need more rows
    for T in range(1, 65):
        for P in range(65 - T):
            assert configs.sequences(rows(T, P), T, P) >= 1
