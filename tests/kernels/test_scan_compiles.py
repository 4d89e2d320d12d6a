"""Every launch of the scan and of the convolution, compiled for sm_90 and held to its limits."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed")

from geomem.kernels.causal_conv1d import configs as conv_configs
from geomem.kernels.causal_conv1d import fused as conv
from geomem.kernels.causal_conv1d.problem import Inputs as ConvInputs
from geomem.kernels.selective_scan import configs, fused
from geomem.kernels.selective_scan.problem import Inputs, Options
from tests.kernels import scan_cases as cases
from tests.kernels.sm90 import SHARED_MEMORY, compile_launch, record

DTYPES = [torch.bfloat16, torch.float32]
# Bytes of a thread's stack that a kernel may use: addresses and sums that are read once a sequence.
SPILLS = {"backward_kernel": 256, "forward_kernel": 32}


def _check(launches, names):
    assert {launch.kernel.__name__ for launch in launches} == names
    for launch in launches:
        cost, name = compile_launch(launch), launch.kernel.__name__
        allowed = SPILLS.get(name, 0)
        assert cost.registers <= 255
        assert cost.stack <= allowed, f"{name} spills {cost.stack} bytes"
        assert cost.shared <= SHARED_MEMORY
        assert ".atom" not in cost.ptx
        assert ".red." not in cost.ptx
        if name in ("forward_kernel", "summary_kernel") and launch.arguments.get("S", 0) <= 32:
            assert cost.shared == 0  # all states of a channel stay in its thread


def _scan(T, S, dtype, C=130, lengths=True, start="own"):
    """All options at once."""
    x = cases.inputs(1, 2, T, C, S, dtype, start)
    inputs = Inputs(*(x.get(name) for name in Inputs._fields))
    options = Options(cases.some_lengths(1, 2, T) if lengths else None, True, True)
    return inputs, options


def _backward(inputs, options, chunks=1):
    u, (K, C, S) = inputs.u, inputs.a.shape
    saved = inputs.a.new_empty(K, u.shape[1] * chunks if chunks > 1 else 0, S, C)
    return fused.backward(inputs, options, saved, u.contiguous(), inputs.a.new_empty(K, 2, C, S))


@pytest.mark.parametrize("S", configs.BACKWARD)
@pytest.mark.parametrize("dtype", DTYPES)
def test_scan_forward(monkeypatch, dtype, S):
    for T in (1, 3, configs.SHORT):  # a tile of one row, a ragged tile, full tiles
        inputs, options = _scan(T, S, dtype)
        launches = record(monkeypatch, lambda: fused.forward(inputs, options))  # noqa: B023
        _check(launches, {"forward_kernel"})


@pytest.mark.parametrize("C", [32, 64])
def test_scan_forward_of_few_channels(monkeypatch, C):
    inputs, options = _scan(5, 16, torch.bfloat16, C=C)
    (launch,) = record(monkeypatch, lambda: fused.forward(inputs, options))
    assert launch.arguments["num_warps"] * 32 == C
    _check([launch], {"forward_kernel"})


# One tile, and tiles with the states before them in scratch, for each number of states.
@pytest.mark.parametrize("T", [1, configs.SHORT])
@pytest.mark.parametrize("S", configs.BACKWARD)
def test_scan_backward(monkeypatch, S, T):
    inputs, options = _scan(T, S, torch.bfloat16)
    launches = record(monkeypatch, lambda: _backward(inputs, options))
    _check(launches, {"backward_kernel"})


def test_scan_backward_in_single_precision_and_with_a_shared_start(monkeypatch):
    inputs, options = _scan(6, 16, torch.float32, start="shared")
    launches = record(monkeypatch, lambda: _backward(inputs, options))
    assert launches[0].arguments["shared"]
    _check(launches, {"backward_kernel"})


@pytest.mark.parametrize("S", configs.BACKWARD)
def test_chunks_of_long_sequences(monkeypatch, S):
    inputs, options = _scan(configs.SHORT + 1, S, torch.bfloat16)
    launches = record(monkeypatch, lambda: fused.forward(inputs, options))
    _check(launches[:2], {"summary_kernel", "combine_kernel"})
    launches = record(monkeypatch, lambda: _backward(inputs, options, chunks=2))
    _check(launches[:2], {"summary_kernel", "combine_kernel"})


def _conv(dtype, T, C, W=4):
    x, parameter = torch.zeros(1, 2, T, 2 * C, dtype=dtype)[..., :C], torch.zeros(1, C)
    initial = torch.zeros(1, 1, W - 1, C, dtype=dtype)
    return ConvInputs(x, torch.zeros(1, C, W), parameter, initial)


# A tile that needs the steps after it, for each block of channels; one step; a sequence in a tile.
CONVOLUTIONS = [(conv_configs.TILE + 1, C) for C in conv_configs.CHANNELS]
CONVOLUTIONS += [(1, 128), (conv_configs.TILE, 128)]


@pytest.mark.parametrize(("T", "C"), CONVOLUTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_convolution(monkeypatch, dtype, T, C):
    inputs = _conv(dtype, T, C)
    launches = record(monkeypatch, lambda: conv.forward(inputs, True))
    launches += record(monkeypatch, lambda: conv.backward(inputs, True, inputs.x.contiguous()))
    _check(launches, {"forward_kernel", "backward_kernel"})
