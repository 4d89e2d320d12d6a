"""The optimiser step of a stack against torch.optim.AdamW, member by member, in fp64."""

import pytest
import torch

from geomem.kernels import AdamWHyper, adamw_step
from geomem.kernels.adamw_step import reference

SETTINGS = [  # lr, weight decay, betas, eps
    (1e-2, 0.0, (0.9, 0.999), 1e-8),
    (3e-4, 10.0, (0.0, 0.99), 1e-6),
    (5.0, 0.01, (0.9, 0.95), 1e-8),
]


def _hyper(step, scale=1.0):
    rows = [[lr, decay, *betas, eps, scale, step] for lr, decay, betas, eps in SETTINGS]
    return AdamWHyper(*torch.tensor(rows, dtype=torch.float64).T)


@pytest.mark.parametrize("tile", [1 << 16, 6])
def test_equals_separate_optimisers(monkeypatch, tile):
    monkeypatch.setattr(reference, "TILE", tile)
    torch.manual_seed(0)
    p = torch.randn(3, 7, dtype=torch.float64)
    m, v = torch.zeros_like(p), torch.zeros_like(p)
    peers = [torch.nn.Parameter(row.clone()) for row in p]
    optimisers = [
        torch.optim.AdamW([peer], lr=lr, weight_decay=decay, betas=betas, eps=eps)
        for peer, (lr, decay, betas, eps) in zip(peers, SETTINGS, strict=True)
    ]
    for step in range(1, 6):
        g = torch.randn(3, 7, dtype=torch.float64)
        adamw_step(p, g, m, v, _hyper(step), torch.ones(3, dtype=torch.bool))
        for peer, row, optimiser in zip(peers, g, optimisers, strict=True):
            peer.grad = row.clone()
            optimiser.step()
    expected = torch.stack([peer.detach() for peer in peers])
    torch.testing.assert_close(p, expected, rtol=1e-12, atol=1e-12)


def test_inactive_members_keep_every_bit_even_beside_nan():
    torch.manual_seed(0)
    p, m, v = (torch.randn(3, 5).double() for _ in range(3))
    v = v.abs()
    g = torch.randn(3, 5).double()
    g[1] = torch.nan
    before = [t.clone() for t in (p, m, v)]
    alone = [t[[0, 2]].clone() for t in (p, m, v)]
    active = torch.tensor([True, False, True])
    adamw_step(p, g, m, v, _hyper(3), active)
    for now, old in zip((p, m, v), before, strict=True):
        assert torch.equal(now[1], old[1])
        assert not torch.equal(now[0], old[0])
    hyper = AdamWHyper(*(t[[0, 2]] for t in _hyper(3)))
    adamw_step(alone[0], g[[0, 2]], alone[1], alone[2], hyper, torch.ones(2, dtype=torch.bool))
    assert torch.equal(alone[0], p[[0, 2]])


def test_scale_multiplies_the_gradient():
    torch.manual_seed(0)
    p = torch.randn(3, 5).double()
    g = torch.randn(3, 5).double()
    results = []
    for gradient, scale in ((g * 0.25, 1.0), (g, 0.25)):
        q, m, v = p.clone(), torch.zeros_like(p), torch.zeros_like(p)
        adamw_step(q, gradient, m, v, _hyper(1, scale), torch.ones(3, dtype=torch.bool))
        results.append(torch.cat([q, m, v]))
    torch.testing.assert_close(results[0], results[1], rtol=1e-14, atol=0)


def test_refuses_unequal_shapes():
    p = torch.zeros(3, 4)
    with pytest.raises(ValueError, match="every tensor should be"):
        adamw_step(p, p[:, :2], p, p, _hyper(1), torch.ones(3, dtype=torch.bool))
