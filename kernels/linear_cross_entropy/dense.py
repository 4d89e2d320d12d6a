"""The loss as a few passes over all logits, for PyTorch's compiler, which makes them one program.

For a row with targets of weights q (Q = sum q), e = exp(z - max z), and the target columns taken
out of the sum, s = s_neg + s_pos:
    dloss/dz  = Q e_v / s                                        off the targets
              = Q ((1 - q / Q) s - (s_pos - e_t) - s_neg) / s    on a target
which for a single target is -Q s_neg / s without a difference of near numbers (see reference.py).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from geomem.kernels.linear_cross_entropy import reference
from geomem.kernels.linear_cross_entropy.problem import Outputs, Problem, acc_dtype

MOST_LOGITS = 1 << 18  # of a call; with more, its products take longer than what it saves
TINY = torch.finfo(torch.float32).tiny


class _Entries(NamedTuple):
    """Targets, [K, M]; row is None where entry n is row n's.

    at: places in the logits of a member; counts: 1, or 0 for an entry that does not count, which
    repeats a place and a weight that do, or stands in a row without targets.
    """

    row: Tensor | None
    at: Tensor
    weight: Tensor
    counts: Tensor

    def beside(self, of_rows: Tensor) -> Tensor:
        """Values [K, N] beside each entry."""
        return of_rows if self.row is None else of_rows.gather(1, self.row)

    def sums(self, values: Tensor, rows: int) -> Tensor:
        """Sums over each row of the values of entries that count."""
        values = torch.where(self.counts > 0, values, 0)
        if self.row is None:
            return values
        return values.new_zeros(len(values), rows).scatter_add(1, self.row, values)


def run(p: Problem) -> Outputs:
    """Solve a problem; with metrics by the reference."""
    if p.metrics:
        return reference.run(p)
    (_, N, _), V, acc = p.x.shape, p.embedding.shape[1], acc_dtype(p.x.dtype)
    x, embedding = p.x.to(acc), p.embedding.to(p.x.dtype).to(acc)
    entries = _entries(p, acc)
    z = _scores(p, x, embedding)
    top, flat = z.amax(2), z.flatten(1)
    far = flat.gather(1, entries.at) - entries.beside(top)  # of a target from the row's best
    others = flat.scatter(1, entries.at, -torch.inf).unflatten(1, (N, V))
    e, e_target = torch.exp(others - top[..., None]), torch.exp(far)
    # A hard target that does not count was taken out of its row, too, and goes back into the sum.
    s_neg, s_pos = e.sum(2), e_target if p.row is None else entries.sums(e_target, N)
    s = s_neg + s_pos
    rest = entries.beside(s_pos) - e_target + entries.beside(s_neg)  # s - e of the target
    # log(1 + rest / e) keeps its digits where lse - z would cancel.
    loss = torch.where(
        e_target > 1e-30, torch.log1p(rest / e_target), entries.beside(s.log()) - far
    )
    row_loss, mass = entries.sums(entries.weight * loss, N), entries.sums(entries.weight, N)
    total = mass.sum(1, keepdim=True).clamp(min=TINY)
    dlogits = _dlogits(entries, e, rest, s, mass, total)
    dx = torch.bmm(dlogits, embedding).to(p.x.dtype) if p.want_dx else p.x.new_empty(0)
    de = torch.bmm(dlogits.mT, x) if p.want_de else x.new_empty(0)
    none = p.token.new_full(s.shape, -1)
    return Outputs(row_loss.sum(1) / total[:, 0], row_loss, s.log() + top, none, none, none, dx, de)


def _dlogits(
    entries: _Entries, e: Tensor, rest: Tensor, s: Tensor, mass: Tensor, total: Tensor
) -> Tensor:
    """Gradient of a member's loss; e: of the other tokens; rest: s - e of each target."""
    scale, q = mass / total / s, entries.beside(torch.where(mass == 0, 1, mass))
    lack = (1 - entries.weight / q) * entries.beside(s)
    on_target = (lack - rest) * entries.beside(scale)
    others = (e * scale[..., None]).flatten(1)
    return others.scatter(1, entries.at, on_target).view_as(e)


def _scores(p: Problem, x: Tensor, embedding: Tensor) -> Tensor:
    z = torch.bmm(x, embedding.mT)
    if p.vocab_sizes is None:
        return z
    columns = torch.arange(z.shape[2], device=z.device)
    return z.masked_fill(columns >= p.vocab_sizes[:, None, None], -torch.inf)


def _entries(p: Problem, acc: torch.dtype) -> _Entries:
    N, V = p.x.shape[1], p.embedding.shape[1]
    if p.row is None or p.weight is None:
        counts = (p.token >= 0).to(acc)
        weight = counts if p.row_weights is None else counts * p.row_weights
        rows = torch.arange(N, device=counts.device)
        return _Entries(None, rows * V + p.token.clamp(min=0), weight, counts)
    # Padding stands at the end: it repeats the first entry.
    valid = p.row >= 0
    places = torch.arange(valid.shape[1], device=valid.device).where(valid, 0)
    row, token, weight = (t.gather(1, places) for t in (p.row, p.token, p.weight))
    row, weight = row.clamp(min=0), weight.to(acc)
    weight = weight if p.row_weights is None else weight * p.row_weights.gather(1, row)
    return _Entries(row, row * V + token.clamp(min=0), weight, valid.to(acc))
