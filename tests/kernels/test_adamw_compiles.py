"""Every launch of the optimiser step, compiled for sm_90 and held to its limits."""

import re

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed")

from geomem.kernels import _arrays
from geomem.kernels.adamw_step import fused
from geomem.kernels.adamw_step.problem import Arrays
from geomem.kernels.member_norm import fused as norm
from tests.kernels import adamw_cases as cases
from tests.kernels.sm90 import compile_launch, record


def _launches(monkeypatch, sizes, dtype, of_gradients=None):
    arrays = [cases.start(3, P, dtype) for P in sizes]
    p, m, v = (list(role) for role in zip(*arrays, strict=True))
    x = Arrays(p, [t.to(of_gradients or dtype, copy=True) for t in p], m, v)
    on, h = torch.ones(3, dtype=torch.bool), cases.hyper([1, 2, 3], dtype)
    return record(monkeypatch, lambda: (fused.run(x, h, on), norm.run(x.gradients)))


def _check(launch, dtype, vectors):
    cost, name = compile_launch(launch), launch.kernel.__name__
    assert cost.registers <= (64 if dtype == torch.float32 else 160)
    assert cost.stack == 0
    assert ".atom" not in cost.ptx
    if dtype == torch.float32:  # 16 bytes of each array at once
        found = len(re.findall(r"ld\.global\.v4", cost.ptx))
        assert (found >= (4 if name == "step_kernel" else 1)) == vectors


@pytest.mark.parametrize("P", [1, _arrays.SMALL - 1, _arrays.SMALL, 4097, 16384])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_array(monkeypatch, P, dtype):
    launches = _launches(monkeypatch, [P], dtype)
    assert [launch.kernel.__name__ for launch in launches] == ["step_kernel", "norm_kernel"]
    for launch in launches:
        _check(launch, dtype, vectors=P % 16 == 0)


def test_gradients_of_half_the_bits(monkeypatch):
    for launch in _launches(monkeypatch, [4096, 16384], torch.float32, torch.bfloat16):
        _check(launch, torch.float32, vectors=True)


def test_many_arrays_share_few_launches_and_are_read_in_vectors(monkeypatch):
    """A model's: large, small, and one that is read element by element, which slows no other."""
    sizes = [832, 192, 32, 3072, 96, 4096, 4097, 1024, 32, 16]
    launches = _launches(monkeypatch, sizes, torch.float32)
    assert [launch.arguments["N"] for launch in launches] == [4, 5, 1] * 2
    for launch in launches:
        _check(launch, torch.float32, vectors=4097 not in launch.arguments["sizes"])


def test_a_launch_takes_so_many_arrays_and_no_more(monkeypatch):
    launches = _launches(monkeypatch, [32] * (_arrays.MOST + 1), torch.float32)
    assert [launch.arguments["N"] for launch in launches] == [_arrays.MOST, 1] * 2
    _check(launches[0], torch.float32, vectors=True)
