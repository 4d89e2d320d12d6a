"""Arrays of members, and what holds for every implementation of their norms."""

import torch

from geomem.kernels import member_norm
from tests.closeness import assert_close


def arrays(K, sizes, dtype=torch.float64, device="cpu", seed=0):
    """Normal draws [K, P], a member's a tenth of those of the one before."""
    g = torch.Generator().manual_seed(seed)
    scale = 10.0 ** -torch.arange(K, dtype=torch.float64)[:, None]
    drawn = [torch.randn(K, P, generator=g, dtype=torch.float64) * scale for P in sizes]
    return [t.to(dtype).to(device) for t in drawn]


def hold(K, sizes, dtype, impl, device="cpu"):
    """Each member against float64."""
    given = arrays(K, sizes, dtype, device)
    found = member_norm(given, impl=impl)
    assert found.dtype == dtype
    expected = torch.cat([t.cpu().double() for t in given], 1).square().sum(1).sqrt()
    for one, wanted in zip(found.cpu(), expected, strict=True):
        assert_close(one, wanted, 1e-14 if dtype == torch.float64 else 1e-6)


def how_it_behaves(impl, device="cpu"):
    """Members do not meet, strides do not matter, and the same call gives the same bits."""
    given = arrays(3, [5, 300, 1040], torch.float32, device)
    norm = member_norm(given, impl=impl)
    assert torch.equal(norm, member_norm(given, impl=impl))
    spoilt = [t.clone() for t in given]
    spoilt[1][1, 7] = torch.nan
    beside = member_norm(spoilt, impl=impl)
    assert torch.equal(beside[[0, 2]], norm[[0, 2]])
    assert beside[1].isnan()
    apart = [torch.nn.functional.pad(t, (3, 2), value=9.0)[:, 3:-2] for t in given]
    turned = [t.mT.contiguous().mT for t in given]
    for moved in (apart, turned):
        assert_close(member_norm(moved, impl=impl).cpu(), norm.cpu().double(), 1e-6)
    assert not member_norm([t.requires_grad_() for t in given], impl=impl).requires_grad


def some_arrays_may_have_half_the_bits(impl, device="cpu"):
    """Their squares are summed in float32."""
    given = arrays(3, [5, 300, 1040], torch.bfloat16, device)
    given[1] = given[1].float()
    expected = torch.cat([t.cpu().double() for t in given], 1).square().sum(1).sqrt()
    found = member_norm(given, impl=impl)
    assert found.dtype == torch.float32
    for one, wanted in zip(found.cpu(), expected, strict=True):
        assert_close(one, wanted, 1e-6)
