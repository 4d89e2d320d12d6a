"""Plain PyTorch: the specification, memory-lean by chunks of rows.

For a row with targets t of weights q (Q = sum q), scores z and e = exp(z - max z), s = sum e:
    loss      = Q log s + Q max z - sum q z_t
    dloss/dz  = Q e_v / s                     off the targets
              = (Q e_t - q_t s) / s           on a target
The target columns are taken out of the sum, s = s_neg + s_pos, so that for a single target the
second line is -q s_neg / s without cancellation: a memorising model lives at e_t / s -> 1.
The gradients are made in the forward pass, while a chunk's logits are in the cache.
"""

from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from geomem.kernels.linear_cross_entropy.problem import Outputs, Problem, acc_dtype, of_members
from geomem.kernels.linear_cross_entropy.workspace import division

CHUNK_LOGITS = 1 << 20  # logits held at a time
VECTOR = 64  # elements; a multiple of what any processor takes at a time
LOG2_E = 1.4426950408889634  # exp2 is four times as fast as exp, and has no slow arguments


class _Entries(NamedTuple):
    """Targets of a chunk's rows; row is None where entry n is row n's.

    valid is 1 or 0; an entry that is not valid has weight 0 and stands at some row and token.
    """

    row: Tensor | None
    token: Tensor
    weight: Tensor
    valid: Tensor
    invalid: Tensor
    rows: int

    def to_entries(self, of_rows: Tensor) -> Tensor:
        """Values [K, rows] beside each entry."""
        return of_rows if self.row is None else of_rows.gather(1, self.row)

    def row_sums(self, values: Tensor) -> Tensor:
        """Sums of an entry's values over each row."""
        if self.row is None:
            return values
        return values.new_zeros(values.shape[0], self.rows).scatter_add_(1, self.row, values)

    def row_worst(self, z: Tensor) -> Tensor:
        """Least of each row's values; infinity where there is none."""
        z = z.masked_fill(self.invalid, torch.inf)
        if self.row is None:
            return z
        start = z.new_full((z.shape[0], self.rows), torch.inf)
        return start.scatter_reduce_(1, self.row, z, "amin")


def _entries(p: Problem, start: int, stop: int) -> _Entries:
    acc = acc_dtype(p.x.dtype)
    if p.row is None or p.weight is None:
        token = p.token[:, start:stop]
        invalid = token < 0
        weight = valid = 1 - invalid.to(acc)
        if p.row_weights is not None:
            weight = weight * p.row_weights[:, start:stop]
        return _Entries(None, token.clamp(min=0), weight, valid, invalid, stop - start)
    row, token, weight = p.row, p.token, p.weight
    invalid = (row < start) | (row >= stop)
    if row.device.type == "cpu" and stop - start < p.x.shape[1]:
        used = (~invalid).any(0).nonzero()[:, 0]
        row, token, weight, invalid = (t[:, used] for t in (row, token, weight, invalid))
    row = (row - start).masked_fill_(invalid, 0)
    valid = 1 - invalid.to(acc)
    weight = weight * valid
    if p.row_weights is not None:
        weight = weight * p.row_weights.gather(1, row + start)
    return _Entries(row, token.clamp(min=0), weight, valid, invalid, stop - start)


def _first_best(z: Tensor, block: int = 256) -> tuple[Tensor, Tensor]:
    """Maximum over the last dimension and its first place; faster than torch.max by blocks."""
    whole = z.shape[2] // block * block
    if whole == 0:
        top, place = z.max(2)
        return top, place
    tops = z[..., :whole].unflatten(2, (-1, block)).amax(3)
    top, first = tops.max(2)
    inside = first[..., None] * block + torch.arange(block, device=z.device)
    place = first * block + z.gather(2, inside).argmax(2)
    if whole < z.shape[2]:
        last, at = z[..., whole:].max(2)
        place = torch.where(last > top, whole + at, place)
        top = torch.maximum(top, last)
    return top, place


def _metrics(logits: Tensor, entries: _Entries, z: Tensor) -> tuple[Tensor, Tensor]:
    """Rank and ties of each row's worst target among the tokens that are not its targets.

    What is not a number counts as above: a diverged row is never right.
    """
    worst = entries.row_worst(z)
    at = entries.to_entries(worst)
    scratch = torch.le(logits, worst[..., None], out=torch.empty_like(logits))
    not_above = scratch.sum(2) - entries.row_sums((z <= at) * entries.valid)
    ties = torch.eq(logits, worst[..., None], out=scratch).sum(2)
    ties -= entries.row_sums((z == at) * entries.valid)
    rank = logits.shape[2] - entries.row_sums(entries.valid) - not_above
    none = worst == torch.inf
    return rank.long().masked_fill_(none, -1), ties.long().masked_fill_(none, -1)


def _to_whole_vectors(t: Tensor) -> Tensor:
    """A flat view whose length no vector unit cuts; the storage has to be as long.

    PyTorch's exp2 rounds otherwise in the scalar rest of a tensor. Without one, the bits of a
    member do not depend on its place in a stack (on one thread).
    """
    return t.as_strided((t.numel() + -t.numel() % VECTOR,), (1,))


class _Rows(NamedTuple):
    """What a chunk's logits come to: e with target columns zeroed, what was taken out, sums."""

    e_others: Tensor
    e_targets: Tensor
    s_neg: Tensor
    s_pos: Tensor
    row_loss: Tensor
    lse: Tensor


def _rows(logits: Tensor, entries: _Entries, index: Tensor, z: Tensor, top: Tensor) -> _Rows:
    """Turn logits, in place, into exponentials and their sums; z: the targets' scores."""
    logits.sub_(top[..., None]).mul_(LOG2_E)
    _to_whole_vectors(logits).exp2_()
    flat = logits.view(index.shape[0], -1)
    e = flat.gather(1, index).mul_(entries.valid)
    # Subtracted, not set: an entry that is not valid may stand on the place of a valid one.
    flat.scatter_add_(1, index, -e)
    s_neg, s_pos = logits.sum(2), entries.row_sums(e)
    lse = (s_neg + s_pos).log_().add_(top)
    # log(1 + rest / e) keeps its digits where lse - z would cancel.
    rest = entries.to_entries(s_pos) - e + entries.to_entries(s_neg)
    loss = torch.where(e > 1e-30, rest.div_(e).log1p_(), entries.to_entries(lse) - z)
    loss = entries.row_sums(entries.weight * loss)
    return _Rows(logits, e, s_neg, s_pos, loss, lse)


def _dlogits(part: _Rows, entries: _Entries, index: Tensor, total: Tensor) -> Tensor:
    """Gradient of the member's loss, made in place of the exponentials."""
    q_sum, s = entries.row_sums(entries.weight), (part.s_neg + part.s_pos).mul_(total)
    dlogits = part.e_others.mul_((q_sum / s)[..., None])
    s_pos, s_neg = entries.to_entries(part.s_pos), entries.to_entries(part.s_neg)
    on_target = entries.to_entries(q_sum) * part.e_targets - entries.weight * s_pos
    on_target = (on_target - entries.weight * s_neg).div_(entries.to_entries(s))
    dlogits.view(index.shape[0], -1).scatter_add_(1, index, on_target)
    return dlogits


class _Pass:
    """The passes over all rows, chunk after chunk, with and without gradients."""

    def __init__(self, p: Problem) -> None:
        acc = acc_dtype(p.x.dtype)
        self.p, self.x, self.embedding = p, p.x.to(acc), p.embedding.to(p.x.dtype).to(acc)
        self.entries = _entries(p, 0, p.x.shape[1])
        total = self.entries.weight.sum(1, keepdim=True)
        self.total = total.clamp_(min=torch.finfo(torch.float32).tiny)
        self.de = self.embedding.new_empty(0)

    def run(self, step: int) -> Outputs:
        """Return the results and the gradients that are wanted, from `step` rows at a time."""
        N = self.x.shape[1]
        found = [self._chunk(at, min(N, at + step)) for at in range(0, N, step)]
        joined = found[0]
        if len(found) > 1:
            joined = tuple(torch.cat(parts, 1) for parts in zip(*found, strict=True))
        row_loss, lse, argmax, rank, ties, dx = joined
        loss = row_loss.sum(1).div_(self.total[:, 0])
        dx = dx.to(self.p.x.dtype) if self.p.want_dx else self.p.x.new_empty(0)
        return Outputs(loss, row_loss, lse, argmax, rank, ties, dx, self.de)

    def _chunk(self, start: int, stop: int) -> tuple[Tensor, ...]:
        x, whole = self.x[:, start:stop], stop - start == self.x.shape[1]
        entries = self.entries if whole else _entries(self.p, start, stop)
        logits = self._logits(x)
        index = _index(entries, logits.shape[2])
        z = logits.view(x.shape[0], -1).gather(1, index)
        if self.p.metrics:
            top, argmax = _first_best(logits)
            rank, ties = _metrics(logits, entries, z)
        else:
            top = logits.amax(2)
            argmax, rank, ties = (torch.full_like(top, -1, dtype=torch.int64) for _ in range(3))
        part = _rows(logits, entries, index, z, top)
        dx = self.x[:, :, :0]
        if self.p.want_dx or self.p.want_de:
            dx = self._gradients(_dlogits(part, entries, index, self.total), x, start == 0)
        return part.row_loss, part.lse, argmax, rank, ties, dx

    def _logits(self, x: Tensor) -> Tensor:
        shape = *x.shape[:2], self.embedding.shape[1]
        size = prod(shape)
        logits = x.new_empty(size + -size % VECTOR)[:size].view(shape)
        torch.bmm(x, self.embedding.mT, out=logits)
        if self.p.vocab_sizes is not None:
            columns = torch.arange(logits.shape[2], device=x.device)
            logits.masked_fill_(columns >= self.p.vocab_sizes[:, None, None], -torch.inf)
        return logits

    def _gradients(self, dlogits: Tensor, x: Tensor, first: bool) -> Tensor:
        if self.p.want_de and first:
            self.de = torch.bmm(dlogits.mT, x)
        elif self.p.want_de:
            self.de.baddbmm_(dlogits.mT, x)
        return torch.bmm(dlogits, self.embedding) if self.p.want_dx else x[:, :, :0]


def _index(entries: _Entries, V: int) -> Tensor:
    """Place of each entry in the logits of a member, [K, rows * V]."""
    if entries.row is not None:
        return entries.row * V + entries.token
    return entries.token + torch.arange(0, entries.rows * V, V, device=entries.token.device)


def run(p: Problem) -> Outputs:
    """Solve a problem; the specification of every other implementation."""
    (K, N, _), V = p.x.shape, p.embedding.shape[1]
    members, rows = division(K, N, V, CHUNK_LOGITS)
    groups = [of_members(p, slice(k, k + members)) for k in range(0, K, members)]
    found = [_Pass(group).run(rows) for group in groups]
    return found[0] if len(found) == 1 else Outputs(*map(torch.cat, zip(*found, strict=True)))
