"""Inputs of dropout, and what holds for every implementation.

K members
"""

import torch

from geomem.kernels import dropout
from geomem.kernels.choice import INTERPRETED
from geomem.kernels.streams import random_bits, stream_keys

# The first of a run, some of its steps, one whose counters are negative, and one where they wrap.
SITES = (0, 1, 7 << 10 | 24, 9_999_999 << 10, (1 << 33) + 5, (1 << 34) - 1)
RATES = (0.1, 0.0, 0.5, 0.9999)


def inputs(*shape, dtype=torch.float32, device="cpu", site=3 << 10, seed=0):
    """x with zeros of both signs in it; keys of both signs; some rates of 0."""
    K, g = shape[0], torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=g, dtype=torch.float64)
    x *= torch.rand(shape, generator=g, dtype=torch.float64) > 0.1
    keys = stream_keys(range(K), "dropout")
    keys[::3] = keys[::3].abs().neg()
    rates = torch.tensor(RATES).repeat(-(-K // len(RATES)))[:K]
    given = (x.to(dtype), keys, rates, torch.tensor(site))
    return tuple(t.to(device) for t in given)


def everything(x, keys, rates, site, impl, op=dropout):
    """The result and the gradient of a weighted sum of it."""
    g = torch.Generator().manual_seed(7)
    dy = torch.randn(x.shape, generator=g, dtype=torch.float64)
    dy = dy.to(x.device, torch.promote_types(x.dtype, torch.float32))
    return result_and_gradient(op, x, dy, (keys, rates, site), impl)


def result_and_gradient(op, x, dy, others, impl):
    """Those of x, dy being the gradient of the result."""
    x = x.detach().requires_grad_()
    y = op(x, *others, impl=impl)
    return [y.detach(), *torch.autograd.grad(y, x, dy)]


def as_it_was_first_written(x, keys, rates, site, impl=None):
    """The arithmetic of the first packs with dropout, which has to stay as it is."""
    counters = (site << 30) + torch.arange(x[0].numel(), device=x.device)
    draw = random_bits(keys, counters) & 0xFFFFFF
    rates = rates.view(-1, *[1] * (x.dim() - 1))
    return x * (draw.view(x.shape) >= (rates * 2**24).long()) / (1 - rates)


def same_bits(a, b):
    """Whether they are equal, of zeros' signs too."""
    kinds = {torch.bfloat16: torch.int16, torch.float32: torch.int32, torch.float64: torch.int64}
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    return torch.equal(a.contiguous().view(kinds[a.dtype]), b.contiguous().view(kinds[b.dtype]))


def hold(x, keys, rates, site, impl):
    """Result and gradient to the bit."""
    found = everything(x, keys, rates, site, impl)
    expected = everything(x, keys, rates, site, None, as_it_was_first_written)
    for a, b in zip(found, expected, strict=True):
        assert same_bits(a, b)


def hold_numbers(impl, device="cpu"):
    """The smallest and the largest, quotients among the subnormal ones, infinities, both signs."""
    tiny, top = torch.finfo(torch.float32).tiny, torch.finfo(torch.float32).max
    subnormal = [2.0**-149, 3e-45, 1e-40, tiny / 2]
    for dtype in (torch.float32, torch.bfloat16):
        few = INTERPRETED and dtype == torch.bfloat16  # of which the interpreter rounds none
        numbers = torch.tensor([0.0, *([] if few else subnormal), tiny, top / 3, top, torch.inf])
        x = torch.cat([numbers, -numbers]).repeat(4, 60).to(device)
        _, *others = inputs(4, 1, device=device)
        found = result_and_gradient(dropout, x.to(dtype), x, others, impl)
        expected = result_and_gradient(as_it_was_first_written, x.to(dtype), x, others, None)
        for a, b in zip(found, expected, strict=True):
            assert torch.equal(a.isnan(), b.isnan())
            assert same_bits(a.masked_fill(a.isnan(), 1.0), b.masked_fill(b.isnan(), 1.0))


def member_alone_equals_member_in_a_stack(impl, device="cpu", dtype=torch.bfloat16):
    """To the bit, wherever it stands."""
    x, keys, rates, site = inputs(3, 37, 24, dtype=dtype, device=device)
    stack = dropout(x, keys, rates, site, impl=impl)
    for k in range(3):
        own = [t[k : k + 1] for t in (x, keys, rates)]
        assert same_bits(dropout(*own, site, impl=impl), stack[k : k + 1])


def views_are_what_their_copies_are(impl, device="cpu"):
    """Of every argument, and of the gradient of the result."""
    x, keys, rates, site = inputs(6, 5, 14, device=device)
    sites = torch.stack([site + i for i in range(3)])
    views = x.transpose(1, 2)[::2, 3:], keys[::2], rates[::2], sites[1]
    copies = [t.clone(memory_format=torch.contiguous_format) for t in views]
    found, expected = everything(*views, impl), everything(*copies, impl)
    for a, b in zip(found, expected, strict=True):
        assert same_bits(a, b)
    leaf = copies[0].requires_grad_()
    y = dropout(*copies, impl=impl)
    (dx,) = torch.autograd.grad(y.sum(), leaf)  # its gradient is one number, expanded
    assert same_bits(dx, dropout(torch.ones_like(leaf), *copies[1:], impl=impl))


def as_many_as_the_rates_say(impl, device="cpu"):
    """Within five standard deviations; sites draw apart."""
    _, keys, rates, site = inputs(4, 1, device=device)
    ones, places = torch.ones(4, 100_000, device=device), 100_000
    kept = [dropout(ones, keys, rates, site + i, impl=impl) > 0 for i in range(2)]
    spread = (rates * (1 - rates) / places).sqrt()
    for each in kept:
        assert ((each.float().mean(1) - (1 - rates)).abs() <= 5 * spread).all()
    both = (kept[0] & kept[1]).float().mean(1)
    assert ((both - (1 - rates) ** 2).abs() <= 0.01).all()
