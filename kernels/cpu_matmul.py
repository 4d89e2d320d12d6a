"""Float32 matrix products on CPUs whose wide units MKL leaves idle.

MKL takes its AVX-512 kernels on Intel alone; elsewhere oneDNN's are 2.2 to 2.5 times faster at
the shapes of a stack. PyTorch hands it float32 products only where lower precision is permitted
("bf16"), and oneDNN makes use of that permission on CPUs with matrix tiles (AMX) and on ARM. So it
is given on no such CPU, and only if products then are as exact as float32 ones.
"""

import contextlib
from collections.abc import Iterator
from functools import cache

import torch

PROBES = ((1, 1, 8, 8), (2, 18, 32, 96), (1, 300, 64, 1030), (1, 512, 1030, 64))  # K, M, I, O
ALLOWED_ERROR = 2e-6  # relative to float64; bfloat16 products are off by 2e-3


@contextlib.contextmanager
def fast_products(device_type: str) -> Iterator[str]:
    """Take the faster float32 products meanwhile; yields "onednn", "mkl" or "cuda".

    The switch holds for the whole process, so it is put back.
    """
    if device_type != "cpu":
        yield device_type
        return
    if not _idle_width() or not _exact():
        yield "mkl"
        return
    with _permitted():
        yield "onednn"


@contextlib.contextmanager
def _permitted(precision: str = "bf16") -> Iterator[None]:
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    settings.fp32_precision = precision
    try:
        yield
    finally:
        settings.fp32_precision = before


def permission_given() -> bool:
    """Whether float32 products of this process go to oneDNN at the moment."""
    settings = getattr(torch.backends.mkldnn, "matmul", None)
    return settings is not None and settings.fp32_precision == "bf16"


@contextlib.contextmanager
def piecewise_products() -> Iterator[None]:
    """Keep to MKL meanwhile: what multiplies piece by piece would pay oneDNN's start for each."""
    if not permission_given():
        yield
        return
    with _permitted("ieee"):
        yield


def _idle_width() -> bool:
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.cpu, "get_capabilities"):
        return False
    found = torch.cpu.get_capabilities()
    wide = found.get("avx512_f", False) and not found.get("amx_tile", False)
    return bool(wide) and "intel" not in str(found.get("cpu_name", "")).lower()


@cache
def _exact() -> bool:
    """Whether products keep float32's precision under the permission, in every orientation."""
    with _permitted(), torch.no_grad():
        return all(_error(*shape) <= ALLOWED_ERROR for shape in PROBES)


def _error(K: int, M: int, inputs: int, outputs: int) -> float:
    # A fixed pattern without structure: the generator of the process stays as it is.
    x = torch.arange(K * M * inputs).mul(0.7548776662).frac().sub(0.5).view(K, M, inputs)
    w = torch.arange(K * inputs * outputs).mul(0.5698402910).frac().sub(0.5)
    w = w.view(K, inputs, outputs)
    y = x @ w
    pairs = ((x, w, y), (y, w.mT, y @ w.mT), (x.mT, y, x.mT @ y))
    errors = []
    for a, b, found in pairs:
        exact = a.double() @ b.double()
        errors.append(float((found - exact).norm() / exact.norm()))
    return max(errors)
