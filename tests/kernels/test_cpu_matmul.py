"""Faster float32 products have to stay float32 products."""

import pytest
import torch

from geomem.kernels import cpu_matmul
from geomem.kernels.cpu_matmul import fast_products


@pytest.fixture
def fresh():
    cpu_matmul._exact.cache_clear()
    yield
    cpu_matmul._exact.cache_clear()


@pytest.mark.parametrize("shape", [(3, 17, 32, 26), (8, 752, 64, 1034), (1, 33, 1030, 64)])
def test_products_are_as_exact_as_before(shape, fresh):
    K, M, D, V = shape
    x, w = torch.randn(K, M, D), torch.randn(K, D, V)
    exact = x.double() @ w.double()
    plain = (x @ w - exact).norm()
    with fast_products("cpu") as library:
        assert library in {"onednn", "mkl"}
        fast = (x @ w - exact).norm()
        gradient = (x.mT @ exact.float() - x.mT.double() @ exact).norm() / exact.norm()
    assert fast <= 3 * plain + 1e-7 * exact.norm()
    assert gradient < 1e-4


def test_the_setting_of_the_process_is_put_back(fresh):
    before = torch.backends.mkldnn.matmul.fp32_precision
    with pytest.raises(RuntimeError), fast_products("cpu"):
        raise RuntimeError
    assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_inexact_products_are_not_taken(fresh, monkeypatch):
    monkeypatch.setattr(cpu_matmul, "_idle_width", lambda: True)
    monkeypatch.setattr(cpu_matmul, "_error", lambda *shape: 2e-3 if shape[1] == 300 else 1e-7)
    before = torch.backends.mkldnn.matmul.fp32_precision
    with fast_products("cpu") as library:
        assert library == "mkl"
        assert torch.backends.mkldnn.matmul.fp32_precision == before


@pytest.mark.parametrize(
    "found",
    [
        {"avx512_f": True, "amx_tile": True, "cpu_name": "AMD EPYC"},
        {"avx512_f": True, "amx_tile": False, "cpu_name": "Intel Xeon"},
        {"avx512_f": False, "cpu_name": "AMD EPYC"},
        {"architecture": "aarch64"},
    ],
)
def test_only_cpus_that_cannot_round_are_permitted_to(found, fresh, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    with fast_products("cpu") as library:
        assert library == "mkl"


def test_the_probe_sees_rounding_to_bfloat16(monkeypatch):
    """The bound is between the two: the same products of rounded factors miss it."""
    shape = cpu_matmul.PROBES[2]
    assert cpu_matmul._error(*shape) <= cpu_matmul.ALLOWED_ERROR
    matmul = torch.Tensor.__matmul__

    def rounded(a, b):
        if a.dtype == torch.float64:
            return matmul(a, b)
        return matmul(a.bfloat16().float(), b.bfloat16().float())

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert cpu_matmul._error(*shape) > 100 * cpu_matmul.ALLOWED_ERROR


def test_a_device_names_itself():
    with fast_products("cuda") as library:
        assert library == "cuda"
