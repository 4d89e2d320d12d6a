"""Every launch configuration of the loss, compiled for sm_90 and held to the limits of the chip."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed")

from geomem.kernels.linear_cross_entropy import configs, fused, small, tiny
from geomem.kernels.linear_cross_entropy.problem import Problem
from tests.kernels.loss_cases import inputs, several
from tests.kernels.sm90 import SHARED_MEMORY, compile_launch, record

D = 384
# 64 rows of 512 logits are 128 registers of a thread: the addresses of a few outputs spill.
SPILLS = {configs.SMALL[torch.bfloat16][-1]: 64}


def _problem(N, V, dtype, options):
    """Hard targets without options, or several with row weights and vocabulary sizes."""
    x, e, t = inputs(2, N, V, D, dtype)
    lists, rest = (None, t, None), (None, None)
    if options:
        lists = several(2, N, V)
        rest = torch.ones(2, N), torch.tensor([V, V])
    return Problem(x, e, *lists, *rest, True, False, True, True)


def _costs(monkeypatch, N, V, dtype, options):
    problem = _problem(N, V, dtype, options)
    launches = record(monkeypatch, lambda: fused.run(problem))
    return [(launch, compile_launch(launch)) for launch in launches]


def _entries(table):
    return [(dtype, config) for dtype, configs in table.items() for config in configs]


def _check(launch, cost, allowed=0):
    assert cost.registers <= 255
    assert cost.shared <= SHARED_MEMORY
    assert cost.stack <= allowed, f"{launch.kernel.__name__} spills {cost.stack} bytes"
    assert "tf32" not in cost.ptx
    assert ".atom" not in cost.ptx
    assert ".red." not in cost.ptx


@pytest.mark.parametrize("options", [False, True])
@pytest.mark.parametrize(("dtype", "config"), _entries(configs.TINY))
def test_tiny(monkeypatch, dtype, config, options):
    assert configs.tiny_config(dtype, config.rows, config.columns) == config
    (found,) = _costs(monkeypatch, config.rows, config.columns, dtype, options)
    assert found[0].kernel is tiny.members
    assert found[0].arguments["BV"] == config.columns
    _check(*found)


@pytest.mark.parametrize("options", [False, True])
@pytest.mark.parametrize(("dtype", "config"), _entries(configs.SMALL))
def test_small(monkeypatch, dtype, config, options):
    assert configs.small_config(dtype, config.columns) == config
    (found,) = _costs(monkeypatch, configs.TINY_ROWS + 1, config.columns, dtype, options)
    assert found[0].kernel is small.rows
    assert found[0].arguments["BV"] == config.columns
    _check(*found, SPILLS.get(config, 0))


@pytest.mark.parametrize("options", [False, True])
@pytest.mark.parametrize("dtype", configs.LARGE)
def test_large(monkeypatch, dtype, options):
    costs = _costs(monkeypatch, 40, configs.SMALL_VOCABULARY + 1, dtype, options)
    names = {launch.kernel.__name__ for launch, _ in costs}
    several_only = {"begins", "extremes"} if options else set()
    assert names == several_only | {
        *("scores", "exponentials", "counts", "over_tiles", "rescale", "finish")
    }
    for launch, cost in costs:
        _check(launch, cost)
        if dtype == torch.bfloat16 and launch.kernel.__name__ in ("exponentials", "counts"):
            assert "wgmma" in cost.ptx
            # Two programs share a multiprocessor.
            assert cost.registers * 32 * configs.LARGE[dtype].warps <= 65536 // 2
            assert cost.shared <= SHARED_MEMORY // 2
