"""Plain PyTorch: the specification, memory-lean by row chunks, with its own backward.

For a row with targets t of weights q (Q = sum q) and e_v = exp(z_v - max z), s = sum e:
    loss      = Q log s + Q max z - sum q z_t
    dloss/dz  = Q e_v / s                     off the targets
              = (Q e_t - q_t s) / s           on a target
The target columns are taken out of the sum, s = s_neg + s_pos, so that for a single target the
second line is -q s_neg / s without cancellation: a memorising model lives at e_t / s -> 1.
The gradients are made in the forward pass, while a chunk's logits are in the cache.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from geomem.kernels.linear_cross_entropy.api import LinearCrossEntropy, Targets

CHUNK_LOGITS = 1 << 20  # logits held at a time


class _Entries(NamedTuple):
    """Targets that fall into rows [start, stop); rows count from start; weight 0 elsewhere."""

    row: Tensor
    token: Tensor
    weight: Tensor
    valid: Tensor


def _entries(targets: Tensor | Targets, row_weights: Tensor, start: int, stop: int) -> _Entries:
    if isinstance(targets, Targets):
        inside = (targets.row >= start) & (targets.row < stop)
        if start > 0 or stop < row_weights.shape[1]:
            columns = inside.any(0).nonzero()[:, 0]
            inside = inside[:, columns]
            targets = Targets(*(t[:, columns] for t in targets))
        row = torch.where(inside, targets.row, start)
        weight = torch.where(inside, targets.weight * row_weights.gather(1, row), 0)
        return _Entries(row - start, targets.token.clamp(min=0), weight, inside)
    token = targets[:, start:stop]
    valid = token >= 0
    row = torch.arange(stop - start, device=token.device).expand_as(token)
    weight = torch.where(valid, row_weights[:, start:stop], 0)
    return _Entries(row, token.clamp(min=0), weight, valid)


def _row_sums(entries: _Entries, values: Tensor, rows: int) -> Tensor:
    if values.shape[1] == rows and entries.row.stride(0) == 0:
        return values  # hard targets: one entry per row
    return values.new_zeros(values.shape[0], rows).scatter_add_(1, entries.row, values)


def _metrics(logits: Tensor, entries: _Entries, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """argmax over all columns; rank and ties of the worst target among the other columns."""
    rows = logits.shape[1]
    argmax = logits.argmax(2)
    worst = logits.new_full(logits.shape[:2], torch.inf)
    z = torch.where(entries.valid, z, torch.inf)
    worst = worst.scatter_reduce(1, entries.row.expand_as(z), z, "amin")
    flat = (entries.row * logits.shape[2] + entries.token).expand_as(z)
    others = logits.reshape(logits.shape[0], -1).clone()
    kept = others.gather(1, flat)
    others.scatter_(1, flat, torch.where(entries.valid, -torch.inf, kept))
    others = others.view(logits.shape[0], rows, -1)
    none = torch.isinf(worst)
    rank = (others > worst[..., None]).sum(2).masked_fill(none, -1)
    ties = (others == worst[..., None]).sum(2).masked_fill(none, -1)
    return argmax, rank, ties


class _Softmax(NamedTuple):
    """A chunk after the exponential: e with target columns zeroed, and what was taken out."""

    e_others: Tensor
    e_targets: Tensor
    s_neg: Tensor
    s_pos: Tensor
    lse: Tensor
    row_loss: Tensor


def _softmax(logits: Tensor, entries: _Entries, flat_index: Tensor, z: Tensor) -> _Softmax:
    """Turn the chunk's logits, in place, into exponentials and their sums."""
    K, rows, _ = logits.shape
    top = logits.amax(2, keepdim=True)
    flat = logits.sub_(top).exp_().view(K, -1)
    # An entry that belongs to another chunk, or to no row, must leave its column as it is.
    e = torch.where(entries.valid, flat.gather(1, flat_index), 0)
    flat.scatter_add_(1, flat_index, -e)
    s_neg, s_pos = logits.sum(2), _row_sums(entries, e, rows)
    lse = (s_neg + s_pos).log() + top[..., 0]
    at = entries.row.expand_as(e)
    # log(1 + rest / e_t) keeps its digits where log s + max - z would cancel.
    rest = (s_pos.gather(1, at) - e) + s_neg.gather(1, at)
    loss = torch.where(e > 0, torch.log1p(rest / e), lse.gather(1, at) - z)
    loss = torch.where(entries.valid, entries.weight * loss, 0)
    return _Softmax(logits, e, s_neg, s_pos, lse, _row_sums(entries, loss, rows))


def _dlogits(part: _Softmax, entries: _Entries, flat_index: Tensor) -> Tensor:
    """Gradient of the summed row losses, made in place of the exponentials."""
    e, at = part.e_targets, entries.row.expand_as(part.e_targets)
    q_sum = _row_sums(entries, entries.weight, part.s_neg.shape[1])
    s = part.s_neg + part.s_pos
    dlogits = part.e_others.mul_((q_sum / s)[..., None])
    on_target = q_sum.gather(1, at) * e - entries.weight * part.s_pos.gather(1, at)
    on_target = (on_target - entries.weight * part.s_neg.gather(1, at)) / s.gather(1, at)
    on_target = torch.where(entries.valid, on_target, 0)
    dlogits.view(e.shape[0], -1).scatter_add_(1, flat_index, on_target)
    return dlogits


def _logits(x: Tensor, embedding: Tensor, vocab_sizes: Tensor | None) -> Tensor:
    logits = torch.bmm(x, embedding.mT)
    if vocab_sizes is not None:
        tail = torch.arange(embedding.shape[1], device=x.device) >= vocab_sizes[:, None, None]
        logits.masked_fill_(tail, -torch.inf)
    return logits


class _Pass:
    """The passes over all rows, chunk after chunk, with and without gradients."""

    def __init__(
        self,
        x: Tensor,
        embedding: Tensor,
        targets: Tensor | Targets,
        row_weights: Tensor,
        vocab_sizes: Tensor | None,
    ) -> None:
        self.x, self.embedding, self.vocab_sizes = x, embedding, vocab_sizes
        self.targets, self.row_weights = targets, row_weights
        entries = _entries(targets, row_weights, 0, x.shape[1])
        self.total = entries.weight.sum(1).clamp(min=torch.finfo(x.dtype).tiny)

    def run(self, metrics: bool, gradients: bool) -> tuple[LinearCrossEntropy, Tensor, Tensor]:
        """Return the result and the gradients of x and of the embedding (empty if not wanted)."""
        (K, N, _), V = self.x.shape, self.embedding.shape[1]
        step = max(1, min(N, CHUNK_LOGITS // max(1, K * V)))
        results, dx, de = [], [], self.embedding.new_zeros(0)
        for start in range(0, max(N, 1), step):
            part = self.x[:, start : start + step]
            result, dlogits = self._chunk(part, start, metrics, gradients)
            results.append(result)
            if gradients:
                dx.append(torch.bmm(dlogits, self.embedding) / self.total[:, None, None])
                scaled = part / self.total[:, None, None]
                de = de.baddbmm_(dlogits.mT, scaled) if start else torch.bmm(dlogits.mT, scaled)
        columns = [torch.cat(parts, 1) for parts in zip(*results, strict=True)]
        loss = columns[0].sum(1) / self.total
        return LinearCrossEntropy(loss, *columns), torch.cat(dx, 1) if dx else self.x[:0], de

    def _chunk(
        self, x: Tensor, start: int, metrics: bool, gradients: bool
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        entries = _entries(self.targets, self.row_weights, start, start + x.shape[1])
        logits = _logits(x, self.embedding, self.vocab_sizes)
        index = entries.row * logits.shape[2] + entries.token
        z = logits.view(x.shape[0], -1).gather(1, index)
        minus_one = torch.full(x.shape[:2], -1, device=x.device)
        found = _metrics(logits, entries, z) if metrics else (minus_one, minus_one, minus_one)
        part = _softmax(logits, entries, index, z)
        dlogits = _dlogits(part, entries, index) if gradients else logits
        return (part.row_loss, part.lse, *found), dlogits


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, embedding: Tensor, rows: _Pass, metrics: bool
    ) -> tuple[Tensor, ...]:
        result, dx, de = rows.run(metrics, gradients=True)
        ctx.save_for_backward(dx, de)
        ctx.mark_non_differentiable(*result[1:])
        return tuple(result)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        dx, de = ctx.saved_tensors
        scale = grads[0][:, None, None]
        return dx * scale, de * scale if ctx.needs_input_grad[1] else None, None, None


def linear_cross_entropy(
    x: Tensor,
    embedding: Tensor,
    targets: Tensor | Targets,
    row_weights: Tensor,
    vocab_sizes: Tensor | None,
    metrics: bool,
) -> LinearCrossEntropy:
    """Reference of `geomem.kernels.linear_cross_entropy`, same arguments."""
    rows = _Pass(x.detach(), embedding.detach(), targets, row_weights, vocab_sizes)
    if torch.is_grad_enabled() and (x.requires_grad or embedding.requires_grad):
        return LinearCrossEntropy(*_Loss.apply(x, embedding, rows, metrics))
    return rows.run(metrics, gradients=False)[0]
