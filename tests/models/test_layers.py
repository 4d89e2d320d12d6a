"""Where a compiler looks on, layers are written in other operations; their numbers stay."""

import math

import pytest
import torch

from geomem.models.layers import gelu, linear


def _gradients(function, *inputs):
    leaves = [t.clone().requires_grad_() for t in inputs]
    value = function(*leaves)
    scale = torch.linspace(0.5, 1.5, value.numel(), dtype=value.dtype).view_as(value)
    return value.detach(), *torch.autograd.grad((value * scale).sum(), leaves)


@pytest.fixture
def compiling(monkeypatch):
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)


def test_gelu_for_a_compiler_is_the_one_with_tanh(compiling):
    x = torch.cat([torch.linspace(-12, 12, 4001), torch.tensor([-1e4, -0.0, 1e-30, 1e4])])
    found, exact = _gradients(gelu, x), _gradients(_with_tanh, x.double())
    for a, b in zip(found, exact, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=2e-6, atol=4e-6)
    # Where 1 + tanh has no digits left, these have all of theirs.
    deep = (x > -9) & (x < -4)
    wide = _with_sigmoid(x[deep].double())
    torch.testing.assert_close(found[0][deep].double(), wide, rtol=2e-5, atol=0)


def _with_tanh(x):
    return torch.nn.functional.gelu(x, approximate="tanh")


def _with_sigmoid(x):
    return x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_linear_map_for_a_compiler_is_the_same(request, dtype):
    torch.manual_seed(0)
    x, w, b = torch.randn(3, 7, 5), torch.randn(3, 5, 4), torch.randn(3, 4)
    w, b = w.to(dtype), b.to(dtype)
    plain = _gradients(linear, x, w, b)
    request.getfixturevalue("compiling")
    rtol = 1e-5 if dtype == torch.float32 else 2e-2
    for a, c in zip(_gradients(linear, x, w, b), plain, strict=True):
        torch.testing.assert_close(a, c, rtol=rtol, atol=rtol)
