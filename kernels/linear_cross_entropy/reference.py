"""Plain PyTorch: the specification, memory-lean by chunks of rows.

For a row with targets t of weights q (Q = sum q), scores z and e = exp(z - max z), s = sum e:
    loss      = Q log s + Q max z - sum q z_t
    dloss/dz  = Q e_v / s                     off the targets
              = (Q e_t - q_t s) / s           on a target
The target columns are taken out of the sum, s = s_neg + s_pos, so that for a single target the
second line is -q s_neg / s without cancellation: a memorising model lives at e_t / s -> 1.
The gradients are made in the forward pass, while a chunk's logits are in the cache.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from geomem.kernels.linear_cross_entropy.problem import Outputs, Problem, acc_dtype, of_members
from geomem.kernels.linear_cross_entropy.workspace import Logits, cpu_division, logits_buffer

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
        return self._reduced(z.masked_fill(self.invalid, torch.inf), torch.inf, "amin")

    def row_best(self, z: Tensor) -> Tensor:
        """Greatest of each row's values; -infinity where there is none."""
        return self._reduced(z.masked_fill(self.invalid, -torch.inf), -torch.inf, "amax")

    def best_token(self, z: Tensor, best: Tensor) -> Tensor:
        """Least of the tokens that have each row's best value; past all where there is none."""
        lost = self.invalid | (z < self.to_entries(best))
        past = torch.iinfo(self.token.dtype).max
        return self._reduced(self.token.masked_fill(lost, past), past, "amin")

    def _reduced(self, values: Tensor, start: float, how: str) -> Tensor:
        if self.row is None:
            return values
        found = values.new_full((values.shape[0], self.rows), start)
        return found.scatter_reduce_(1, self.row, values, how)


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


class _Metrics(NamedTuple):
    """As in the results, [K, rows]."""

    argmax: Tensor
    rank: Tensor
    ties: Tensor


class _Scores(NamedTuple):
    """others: logits [K, rows, V] of other tokens than the targets; the rest is [K, rows].

    top: maximum of the others; worst, best: lowest and highest of the targets; token: the best.
    """

    others: Tensor
    top: Tensor
    worst: Tensor
    best: Tensor
    token: Tensor


def _no_metrics(like: Tensor) -> _Metrics:
    return _Metrics(*(torch.full_like(like, -1, dtype=torch.int64) for _ in range(3)))


def _metrics(scores: _Scores, scratch: Tensor, hits_only: bool) -> _Metrics:
    """Metrics of rows; scratch, like the logits, is memory to be written over.

    Where all targets are on top, nothing needs to be counted; for hits alone, nothing but where the
    best has its equal. What is not a number counts as above: a diverged row is never right.
    """
    none = scores.worst == torch.inf
    found = _hits(scores)
    unclear = scores.top == scores.best if hits_only else ~(scores.top < scores.worst) | none
    rows = unclear.any(0).nonzero()[:, 0]
    if 3 * len(rows) > len(none[0]):  # a choice of rows costs three times as much for each
        found = _counted(scores, scratch)
    elif len(rows):
        chosen = _Scores(*(given[:, rows] for given in scores))
        counted = _counted(chosen, torch.empty_like(chosen.others))
        for whole, part in zip(found, counted, strict=True):
            whole[:, rows] = part
    return _Metrics(found.argmax, *(t.masked_fill_(none, -1) for t in found[1:]))


def _hits(scores: _Scores) -> _Metrics:
    """Argmax where a target is above the others, and as rank whether not all targets are."""
    _, top, worst, best, token = scores
    rank = (~(top < worst)).long()
    return _Metrics(token.masked_fill(~(top < best), -1), rank, torch.zeros_like(rank))


def _counted(scores: _Scores, scratch: Tensor) -> _Metrics:
    """Count the other tokens above each row's worst target and beside it, and find the first best.

    PyTorch's own argmax takes five times as long as these passes.
    """
    others, top, worst, best, token = scores
    V = others.shape[2]
    rank = V - torch.le(others, worst[..., None], out=scratch).sum(2).long()
    ties = torch.eq(others, worst[..., None], out=scratch).sum(2).long()
    countdown = torch.arange(V, 0, -1, dtype=others.dtype, device=others.device)
    first = torch.eq(others, top[..., None], out=scratch).mul_(countdown).amax(2)
    first = V - first.long()
    argmax = torch.where(top > best, first, torch.where(top == best, first.min(token), token))
    return _Metrics(argmax.masked_fill_(top.isnan() | best.isnan(), -1), rank, ties)


class _Rows(NamedTuple):
    """Exponentials of targets, their sums and those of other tokens, and what they come to."""

    e_targets: Tensor
    s_neg: Tensor
    s_pos: Tensor
    row_loss: Tensor
    lse: Tensor


def _rows(held: Logits, entries: _Entries, z: Tensor, top: Tensor) -> _Rows:
    """Turn the logits of other tokens, in place, into exponentials.

    z: the targets' scores; top: each row's highest score of all.
    """
    held.logits.sub_(top[..., None]).mul_(LOG2_E)
    held.padded.exp2_()
    below = logits_buffer(z, z.shape[0], z.shape[1], 1)  # for its whole vectors
    torch.sub(z, entries.to_entries(top), out=below.logits[..., 0]).mul_(LOG2_E)
    below.padded.exp2_()
    e = below.logits[..., 0].mul_(entries.valid)
    s_neg, s_pos = held.logits.sum(2), entries.row_sums(e)
    lse = (s_neg + s_pos).log_().add_(top)
    # log(1 + rest / e) keeps its digits where lse - z would cancel.
    rest = entries.to_entries(s_pos) - e + entries.to_entries(s_neg)
    loss = torch.where(e > 1e-30, rest.div_(e).log1p_(), entries.to_entries(lse) - z)
    loss = entries.row_sums(entries.weight * loss)
    return _Rows(e, s_neg, s_pos, loss, lse)


def _dlogits(held: Logits, part: _Rows, entries: _Entries, index: Tensor, total: Tensor) -> Tensor:
    """Gradient of the member's loss, made in place of the exponentials."""
    q_sum, s = entries.row_sums(entries.weight), (part.s_neg + part.s_pos).mul_(total)
    dlogits = held.logits.mul_((q_sum / s)[..., None])
    s_pos, s_neg = entries.to_entries(part.s_pos), entries.to_entries(part.s_neg)
    on_target = entries.to_entries(q_sum) * part.e_targets - entries.weight * s_pos
    on_target = (on_target - entries.weight * s_neg).div_(entries.to_entries(s))
    held.places().scatter_add_(1, index, on_target)
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
        # Memory that is given back and taken again chunk by chunk is cleared by the system each
        # time, which takes longer than what is done with it.
        self._held: Logits | None = None
        self._scratch = self.embedding.new_empty(0)

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
        held = self._logits(x)
        index = _index(entries, held.logits)
        z = held.places().gather(1, index)
        # As a minimum: an entry that is not valid may stand on the place of a valid one.
        out = torch.where(entries.invalid, torch.inf, -torch.inf).to(z.dtype)
        held.places().scatter_reduce_(1, index, out, "amin")
        top, best = held.logits.amax(2), entries.row_best(z)
        if self.p.metrics:
            worst, token = entries.row_worst(z), entries.best_token(z, best)
            scores = _Scores(held.logits, top, worst, best, token)
            metrics = _metrics(scores, self._scratch_like(held), self.p.hits_only)
        else:
            metrics = _no_metrics(top)
        part = _rows(held, entries, z, torch.maximum(top, best))
        dx = self.x[:, :, :0]
        if self.p.want_dx or self.p.want_de:
            dx = self._gradients(_dlogits(held, part, entries, index, self.total), x, start == 0)
        return part.row_loss, part.lse, *metrics, dx

    def _logits(self, x: Tensor) -> Logits:
        K, N, _ = x.shape
        held = self._held
        if held is None or held.logits.shape[1] != N:
            held = self._held = logits_buffer(x, K, N, self.embedding.shape[1])
        torch.bmm(self.embedding, x.mT, out=held.logits.mT)
        if self.p.vocab_sizes is not None:
            columns = torch.arange(held.logits.shape[2], device=x.device)
            past = columns >= self.p.vocab_sizes[:, None, None]
            held.logits.masked_fill_(past, -torch.inf)
        return held

    def _scratch_like(self, held: Logits) -> Tensor:
        if self._scratch.shape != held.logits.shape:
            self._scratch = torch.empty_like(held.logits)
        return self._scratch

    def _gradients(self, dlogits: Tensor, x: Tensor, first: bool) -> Tensor:
        if self.p.want_de and first:
            self.de = torch.bmm(dlogits.mT, x)
        elif self.p.want_de:
            self.de.baddbmm_(dlogits.mT, x)
        return torch.bmm(dlogits, self.embedding) if self.p.want_dx else x[:, :, :0]


def _index(entries: _Entries, logits: Tensor) -> Tensor:
    """Place of each entry in the memory of its member's logits."""
    _, of_row, of_token = logits.stride()
    row = entries.row
    if row is None:
        row = torch.arange(entries.rows, device=entries.token.device)
    return row * of_row + entries.token * of_token


def run(p: Problem) -> Outputs:
    """Solve a problem; the specification of every other implementation."""
    (K, N, _), V = p.x.shape, p.embedding.shape[1]
    members, rows = cpu_division(K, N, V)
    groups = [of_members(p, slice(k, k + members)) for k in range(0, K, members)]
    found = [_Pass(group).run(rows) for group in groups]
    return found[0] if len(found) == 1 else Outputs(*map(torch.cat, zip(*found, strict=True)))
