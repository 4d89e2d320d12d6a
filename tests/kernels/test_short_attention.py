"""Short attention against PyTorch's own, in fp64, with and without a shared prefix."""

import pytest
import torch
from torch.nn import functional as F

from geomem.kernels import short_attention
from tests.closeness import assert_close


def _plain(q, k, v, prefix_k=None, prefix_v=None):
    T, P = q.shape[2], 0
    if prefix_k is not None:
        P = prefix_k.shape[1]
        repeat = (1, q.shape[1], 1, 1, 1)
        k = torch.cat([prefix_k[:, None].repeat(*repeat), k], 2)
        v = torch.cat([prefix_v[:, None].repeat(*repeat), v], 2)
    mask = torch.arange(P + T) <= torch.arange(T)[:, None] + P
    heads_first = [t.transpose(2, 3) for t in (q, k, v)]
    return F.scaled_dot_product_attention(*heads_first, attn_mask=mask).transpose(2, 3)


@pytest.mark.parametrize("T", [1, 2, 7])  # one token has a path of its own
@pytest.mark.parametrize("P", [0, 1, 3])
def test_matches_scaled_dot_product_attention(T, P):
    g = torch.Generator().manual_seed(T * 10 + P)
    shape = (2, 5, T, 3, 4)
    tensors = [torch.randn(shape, generator=g, dtype=torch.float64) for _ in range(3)]
    if P:
        prefix = (2, P, 3, 4)
        tensors += [torch.randn(prefix, generator=g, dtype=torch.float64) for _ in range(2)]
    theirs = [t.clone().requires_grad_() for t in tensors]
    ours = [t.float().requires_grad_() for t in tensors]
    expected, actual = _plain(*theirs), short_attention(*ours)
    assert_close(actual, expected.detach(), 1e-6)
    weight = torch.randn(expected.shape, generator=g, dtype=torch.float64)
    wanted = torch.autograd.grad((expected * weight).sum(), theirs, allow_unused=True)
    found = torch.autograd.grad((actual * weight.float()).sum(), ours, allow_unused=True)
    for w, f in zip(wanted, found, strict=True):
        if f is None or w.norm() == 0:
            assert f is None or f.abs().max() < 1e-6
        else:
            assert_close(f, w, 1e-5)


def test_no_token_sees_what_comes_after_it():
    q, k, v = (torch.randn(1, 1, 5, 1, 4, dtype=torch.float64) for _ in range(3))
    v.requires_grad_()
    (grad,) = torch.autograd.grad(short_attention(q, k, v)[:, :, 2].sum(), v)
    seen = grad.abs().sum((0, 1, 3, 4))
    assert (seen[:3] > 0).all()
    assert (seen[3:] == 0).all()


def test_refuses_what_does_not_fit():
    q = torch.zeros(1, 2, 3, 1, 4)
    with pytest.raises(ValueError, match="of one shape"):
        short_attention(q, q[:, :1], q)
    with pytest.raises(ValueError, match="or neither"):
        short_attention(q, q, q, prefix_k=q[:, 0])
