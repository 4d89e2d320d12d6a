"""Inputs of bias and GELU, and what holds for every implementation.

K members · R rows · F width
"""

import torch
from torch.nn import functional as F

from geomem.kernels import bias_gelu
from tests.closeness import assert_as_good


def inputs(K, R, width, dtype=torch.float64, device="cpu", seed=0):
    """Rows around zero and far to both sides of it."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(K, R, width, generator=g, dtype=torch.float64)
    x *= 3 * torch.randn(K, R, 1, generator=g, dtype=torch.float64).exp()
    bias = torch.randn(K, width, generator=g, dtype=torch.float64)
    wide = torch.promote_types(dtype, torch.float32)
    return x.to(dtype).to(device), bias.to(wide).to(device)


def textbook(x, bias, impl=None):
    """PyTorch's own."""
    return F.gelu(x + bias[:, None], approximate="tanh")


def everything(x, bias, impl, op=bias_gelu):
    """The result and the gradients of a weighted sum of it."""
    leaves = [t.detach().requires_grad_() for t in (x, bias)]
    y = op(*leaves, impl=impl)
    g = torch.Generator().manual_seed(7)
    weight = torch.randn(y.shape, generator=g, dtype=torch.float64).to(y.device, y.dtype)
    return [y.detach(), *torch.autograd.grad((y * weight).sum(), leaves)]


def hold(x, bias, impl):
    """Result and gradients against float64, as good as plain operations in its dtype."""
    exact = everything(x.cpu().double(), bias.cpu().double(), impl, textbook)
    plain, found = everything(x, bias, "reference"), everything(x, bias, impl)
    for a, b, expected in zip(found, plain, exact, strict=True):
        assert a.dtype == b.dtype
        assert_as_good(a.cpu(), expected, b.cpu(), x.dtype)


def member_alone_equals_member_in_a_stack(impl, device="cpu", dtype=torch.bfloat16):
    """To the bit: no sum crosses members."""
    x, bias = inputs(3, 37, 24, dtype, device)
    x[2] *= 1e3
    stack = everything(x, bias, impl)
    weight = torch.Generator().manual_seed(7)
    weight = torch.randn(x.shape, generator=weight, dtype=torch.float64).to(device, dtype)
    for k in range(3):
        own = [t[k : k + 1].detach().requires_grad_() for t in (x, bias)]
        y = bias_gelu(*own, impl=impl)
        found = [y, *torch.autograd.grad((y * weight[k : k + 1]).sum(), own)]
        for a, b in zip(found, stack, strict=True):
            assert torch.equal(a.detach(), b[k : k + 1])


def far_from_zero_it_is_the_line_or_zero(impl, device="cpu"):
    """Up to the largest numbers whose square is one, and gradients are numbers."""
    x = torch.tensor([-1e18, -1e4, -40.0, 40.0, 1e4, 1e18], device=device)[None, :, None]
    y, dx, dbias = everything(x, torch.zeros(1, 1, device=device), impl)
    assert torch.equal(y, x.clamp(min=0.0))
    assert (dx[0, :3] == 0).all()
    assert torch.isfinite(dx).all()
    assert torch.isfinite(dbias).all()
