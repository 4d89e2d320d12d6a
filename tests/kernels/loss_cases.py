"""Inputs of the loss by regime, and what a textbook makes of them. K N V D as everywhere."""

import torch
from torch.nn import functional as F

from geomem.kernels import Targets, linear_cross_entropy


def inputs(K, N, V, D, dtype, scale=1.0, seed=0):
    """Hidden states and an embedding drawn from a normal distribution; hard targets."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(K, N, D, generator=g, dtype=torch.float64) * scale
    e = torch.randn(K, V, D, generator=g, dtype=torch.float64)
    t = torch.randint(V, (K, N), generator=g)
    return x.to(dtype), e.to(dtype), t


def memorised(K, N, V, D, dtype, probability=0.9998):
    """Hidden states that point at their target so that its probability is about as asked."""
    _, e, t = inputs(K, N, V, D, torch.float64)
    e = F.normalize(e, dim=2)
    x = e.gather(1, t[..., None].expand(-1, -1, D))
    scale = torch.tensor(V * probability / (1 - probability)).log() * 1.4
    return (x * scale).to(dtype), e.to(dtype), t


def several(K, N, V, most=3, seed=0):
    """From none to `most` weighted targets per row, members of different length, padded."""
    g = torch.Generator().manual_seed(seed)
    lists = []
    for k in range(K):
        counts = torch.randint(min(most, V) + 1, (N,), generator=g)
        counts[k % N] = min(most, V)
        row = torch.arange(N).repeat_interleave(counts)
        token = torch.cat([torch.randperm(V, generator=g)[:c] for c in counts.tolist()])
        lists.append((row, token, torch.rand(row.shape, generator=g) + 0.1))
    length = max(row.numel() for row, _, _ in lists) + 2
    padded = (
        torch.stack([F.pad(t[i], (0, length - t[i].numel()), value=fill) for t in lists])
        for i, fill in enumerate((-1, 0, 0.0))
    )
    return Targets(*padded)


def textbook(x, e, targets, row_weights=None, vocab_sizes=None, dtype=torch.float64):
    """Loss, its gradients, and the logits, all of them held, in a precision."""
    x, e = (v.detach().to(dtype).requires_grad_() for v in (x, e))
    logits = x @ e.mT
    if vocab_sizes is not None:
        tail = torch.arange(e.shape[1], device=e.device) >= vocab_sizes[:, None, None]
        logits = logits.masked_fill(tail, -torch.inf)
    nll = -logits.log_softmax(-1)
    w = torch.ones(x.shape[:2], device=x.device) if row_weights is None else row_weights
    losses = []
    for k in range(x.shape[0]):
        if isinstance(targets, Targets):
            used = targets.row[k] >= 0
            row, token = targets.row[k][used], targets.token[k][used]
            q = targets.weight[k][used].to(dtype) * w[k, row].to(dtype)
        else:
            used = targets[k] >= 0
            row, token, q = used.nonzero()[:, 0], targets[k][used], w[k][used].to(dtype)
        losses.append((q * nll[k, row, token]).sum() / q.sum())
    loss = torch.stack(losses)
    dx, de = torch.autograd.grad(loss.sum(), (x, e))
    return loss.detach(), dx, de, logits.detach()


def ours(x, e, targets, **kwargs):
    """Result and gradients of the op."""
    x, e = (v.detach().clone().requires_grad_() for v in (x, e))
    result = linear_cross_entropy(x, e, targets, **kwargs)
    dx, de = torch.autograd.grad(result.loss.sum(), (x, e))
    return result, dx, de


def ranks(logits, targets):
    """Rank and ties of the worst target among the other columns, row by row."""
    K, N, _ = logits.shape
    rank, ties = torch.full((2, K, N), -1).unbind()
    for k in range(K):
        for n in range(N):
            if isinstance(targets, Targets):
                own = targets.token[k][targets.row[k] == n]
            else:
                own = targets[k, n : n + 1]
            if own.numel() == 0 or own[0] < 0:
                continue
            z, others = logits[k, n], torch.ones(logits.shape[2], dtype=torch.bool)
            others[own] = False
            rank[k, n] = (z[others] > z[own].min()).sum()
            ties[k, n] = (z[others] == z[own].min()).sum()
    return rank, ties
