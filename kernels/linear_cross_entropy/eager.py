"""The loss on a CPU, for compact stacks: few launches, few passes over the logits.

z_1: the score of the row's first target; u = log2 e (z - z_1), e = 2^u, s = sum e with the target
columns taken out of the sum, s = s_neg + s_pos. A single target has e = s_pos = 1 and
    loss = log(1 + s_neg),  lse = z_1 + loss,  dloss/dz = e_v / s, on the target -s_neg / s
without the row's maximum, a second form for small losses, or a difference of near numbers; for
several targets see reference.py. Where s exceeds e^64, the row's share / s comes near numbers that
training flushes to zero, and e near its range: the reference then solves that member. That factor
of dloss/dz goes to x and to dx, which have fewer numbers than the logits of a large vocabulary.
Each row is computed alike wherever it stands, so that a member has the same bits in any stack.
"""

from math import isfinite
from typing import NamedTuple

import torch
from torch import Tensor

from geomem.kernels.linear_cross_entropy import reference
from geomem.kernels.linear_cross_entropy.problem import Outputs, Problem, acc_dtype, of_members
from geomem.kernels.linear_cross_entropy.slots import Several, Slots, constant, slots_of
from geomem.kernels.linear_cross_entropy.workspace import (
    Chunk,
    add_product,
    cpu_division,
    divided,
    logits_buffer,
)

FAR = 64.0  # nats
LOG2_E = 1.4426950408889634  # exp2 is four times as fast as exp
LN_2 = 0.6931471805599453


def run(p: Problem) -> Outputs:
    """Solve a problem; with metrics, or many targets of a row, by the reference."""
    slots = None if p.metrics else slots_of(p)
    if slots is None:
        return reference.run(p)
    out, log_s = _solve(p, slots)
    near = float(log_s.amax()) < FAR and isfinite(float(out.loss.sum()))
    return out if near else _mended(p, out, log_s)


def _mended(p: Problem, out: Outputs, log_s: Tensor) -> Outputs:
    """The same with members whose numbers left their range solved by the reference."""
    good = out.loss.isfinite() & (log_s.amax(1) < FAR)
    bad = (~good).nonzero()[:, 0]
    for target, found in zip(out, reference.run(of_members(p, bad)), strict=True):
        if target.numel():
            target[bad] = found
    return out


def _solve(p: Problem, slots: Slots) -> tuple[Outputs, Tensor]:
    """Return the results, and log s of every row."""
    (K, N, _), V, dtype = p.x.shape, p.embedding.shape[1], acc_dtype(p.x.dtype)
    inputs = _Inputs(p.x.to(dtype), p.embedding.to(p.x.dtype).to(dtype), slots, p.vocab_sizes)
    chunk = cpu_division(K, N, V)
    made = _at_once(p, inputs) if chunk == (K, N) else _by_chunks(p, inputs, *chunk)
    loss = made.row_loss.sum(1).div_(slots.mass)
    none = p.token.new_full((K, N), -1)
    out = Outputs(loss, made.row_loss, made.lse, none, none, none, made.dx.to(p.x.dtype), made.de)
    return out, made.log_s


class _Inputs(NamedTuple):
    """x: [K, N, D]; embedding: [K, V, D]; vocab_sizes: [K]; all in the dtype of sums."""

    x: Tensor
    embedding: Tensor
    slots: Slots
    vocab_sizes: Tensor | None

    def part(self, at: Chunk) -> "_Inputs":
        k, n = slice(at.k, at.k_end), slice(at.n, at.n_end)
        sizes = None if self.vocab_sizes is None else self.vocab_sizes[k]
        return _Inputs(self.x[k, n], self.embedding[k], self.slots.part(k, n), sizes)


class _Made(NamedTuple):
    """row_loss, lse, log_s: [K, N]; dx: [K, N, D], de: [K, V, D], or [0] if not wanted."""

    row_loss: Tensor
    lse: Tensor
    log_s: Tensor
    dx: Tensor
    de: Tensor


def _at_once(p: Problem, inputs: _Inputs) -> _Made:
    row_loss, lse, log_s, e, factor = _rows(inputs)
    dx = torch.bmm(e, inputs.embedding).mul_(factor) if p.want_dx else e.new_empty(0)
    de = torch.bmm(e.mT, inputs.x * factor) if p.want_de else e.new_empty(0)
    return _Made(row_loss, lse, log_s, dx, de)


def _by_chunks(p: Problem, inputs: _Inputs, members: int, rows: int) -> _Made:
    (K, N, D), V, new = inputs.x.shape, inputs.embedding.shape[1], inputs.x.new_empty
    dx, de = new((K, N, D) if p.want_dx else 0), new((K, V, D) if p.want_de else 0)
    made = _Made(new(K, N), new(K, N), new(K, N), dx, de)
    for at in divided(K, N, members, rows):
        k, n = slice(at.k, at.k_end), slice(at.n, at.n_end)
        part = inputs.part(at)
        made.row_loss[k, n], made.lse[k, n], made.log_s[k, n], e, factor = _rows(part)
        if p.want_dx:
            torch.bmm(e, part.embedding, out=dx[k, n]).mul_(factor)
        if p.want_de:
            add_product(de[k], e.mT, part.x * factor, first=at.n == 0)
    return made


def _rows(inputs: _Inputs) -> tuple[Tensor, ...]:
    """Loss (weighted), lse and log s of rows, [K, N], and the gradient of their logits.

    The latter as numbers [K, N, V] and a factor of each row, [K, N, 1].
    """
    x, embedding, (token, several, share, _), vocab_sizes = inputs
    (K, N, _), V = x.shape, embedding.shape[1]
    z, padded = logits_buffer(x, K, N, V)
    torch.bmm(embedding, (x * constant(LOG2_E, x.dtype)).mT, out=z.mT)
    if vocab_sizes is not None:
        z.masked_fill_(torch.arange(V, device=z.device) >= vocab_sizes[:, None, None], -torch.inf)
    first = z.gather(2, token if several is None else token[..., :1])
    z.sub_(first)
    padded.exp2_()
    first.mul_(constant(LN_2, x.dtype))
    found = _single(z, token) if several is None else _several(z, token, several)
    on_targets, s, loss, log_s = found
    z.scatter_(2, token, on_targets)
    return loss[..., 0], first.add_(log_s)[..., 0], log_s[..., 0], z, share / s


def _single(e: Tensor, token: Tensor) -> tuple[Tensor, ...]:
    """Take the target out of e; return what stands there times s, then s, loss and log s."""
    e.scatter_(2, token, constant(0.0, e.dtype).expand(token.shape))
    s_neg = e.sum(2, keepdim=True)
    s, loss = s_neg + constant(1.0, e.dtype), s_neg.log1p()
    return s_neg.neg_(), s, loss, loss


def _several(e: Tensor, token: Tensor, slots: Several) -> tuple[Tensor, ...]:
    """The same for slots with weights q of sum Q, whose entry times s is e - q s / Q."""
    own = e.gather(2, token)
    e.scatter_(2, token, constant(0.0, e.dtype).expand(token.shape))
    s_neg, s_pos = e.sum(2, keepdim=True), (own * slots.counted).sum(2, keepdim=True)
    rest = (s_pos - own).add_(s_neg)  # s - e; of a single target exactly s_neg
    s = s_pos.add_(s_neg)
    loss = (rest / own).log1p_().mul_(slots.weight).sum(2, keepdim=True)
    return (slots.lack * s).sub_(rest), s, loss, s.log()
