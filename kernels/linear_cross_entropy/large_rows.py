"""From sums over tiles to what is known of a row, for a large vocabulary.

Legend: N rows, V columns, M entries of targets; a chunk holds rows [first, N); u = z log2 e.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201, ANN202

import triton
import triton.language as tl

from geomem.kernels._tiles import narrow
from geomem.kernels.linear_cross_entropy.tile import (
    LN_2,
    LOG2_E,
    NEVER,
    target_gradient,
    target_loss,
)

_SIZES = ["N", "V", "M", "first", "tiles", "rows", "blocks", "programs"]
_NO_COLUMN = tl.constexpr(2**31 - 1)


@triton.jit(do_not_specialize=_SIZES)
def over_tiles(
    peaks, sums, columns, above, equal, top, low, s_neg, argmax, rank, ties,
    tiles, rows, first, N, blocks,
    BLOCK: tl.constexpr, TILES: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    """Reduce [K, tiles, rows] to [K, N], in a fixed order.

    top, low: greatest and least u that tiles are relative to; s_neg: their sum beside top. In an
    evaluation tiles are relative to their best logit, at one of columns: argmax is the first place
    of the best of all, rank and ties are the sums of above and equal.
    """
    k = (tl.program_id(0) // blocks).to(tl.int64)
    i = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    inside = first + i < N
    high = tl.full((TILES, BLOCK), NEVER, acc_type)
    least = tl.full((TILES, BLOCK), -NEVER, acc_type)
    s = tl.zeros((TILES, BLOCK), acc_type)
    scale: tl.constexpr = 1.0 if columns is None else LOG2_E
    if columns is not None:
        place = tl.full((TILES, BLOCK), _NO_COLUMN, tl.int32)
        over = tl.zeros((TILES, BLOCK), tl.int32)
        same = tl.zeros((TILES, BLOCK), tl.int32)
    for tile in range(0, tiles, TILES):
        t = tile + tl.arange(0, TILES)
        mask = (t < tiles)[:, None] & inside[None, :]
        at = (k * tiles + t)[:, None] * rows + i[None, :]
        peak = tl.load(peaks + at, mask=mask, other=NEVER)
        part = tl.load(sums + at, mask=mask, other=0)
        new = tl.maximum(high, peak)
        s = s * tl.exp2((high - new) * scale) + part * tl.exp2((peak - new) * scale)
        least = tl.where(mask, tl.minimum(least, peak), least)
        if columns is not None:
            place = tl.where(peak > high, tl.load(columns + at, mask=mask, other=0), place)
            over += tl.load(above + at, mask=mask, other=0)
            same += tl.load(equal + at, mask=mask, other=0)
        high = new
    best = tl.max(high, 0)
    out = k * N + first + i
    tl.store(top + out, best * scale, mask=inside)
    tl.store(s_neg + out, tl.sum(s * tl.exp2((high - best[None, :]) * scale), 0), mask=inside)
    if columns is None:
        tl.store(low + out, tl.min(least, 0), mask=inside)
    else:
        first_place = tl.min(tl.where(high == best[None, :], place, _NO_COLUMN), 0)
        tl.store(argmax + out, first_place.to(tl.int64), mask=inside)
        tl.store(rank + out, tl.sum(over, 0).to(tl.int64), mask=inside)
        tl.store(ties + out, tl.sum(same, 0).to(tl.int64), mask=inside)


@triton.jit(do_not_specialize=_SIZES)
def rescale(
    p, peaks, top, low, best, N, V, first, tiles, rows, blocks, p_k, p_n,
    BLOCK: tl.constexpr, BV: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    """Bring the tiles of a row to one centre, if they differ: rare, and exact powers of two."""
    k = (tl.program_id(0) // blocks).to(tl.int64)
    i = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    n = k * N + first + i
    inside = first + i < N
    centre = tl.load(top + n, mask=inside, other=0)
    # Without a target the row's factor is 0, whatever stands in P.
    mixed = (tl.load(low + n, mask=inside, other=0) < centre) & inside
    mixed = mixed & (tl.load(best + n, mask=inside, other=NEVER) > NEVER / 2)
    if tl.max(mixed.to(tl.int32), 0) > 0:
        rows_of_p = p + k * p_k + i.to(tl.int64)[:, None] * p_n
        for tile in range(tiles):
            v = tile * BV + tl.arange(0, BV)
            shift = tl.load(peaks + (k * tiles + tile) * rows + i, mask=mixed, other=0) - centre
            mask = (mixed & (shift < 0))[:, None] & (v < V)[None, :]
            old = tl.load(rows_of_p + v[None, :], mask=mask, other=0).to(acc_type)
            new = narrow(old * tl.exp2(shift)[:, None], p.dtype.element_ty)
            tl.store(rows_of_p + v[None, :], new, mask=mask)


@triton.jit
def _lanes(begin, token, n, inside, start, end, j, BLOCK: tl.constexpr):
    """Entries of a program, and which of its lanes have one."""
    if begin is None:
        at = n
        valid = tl.load(token + n, mask=inside, other=-1) >= 0
    else:
        at = start + j * BLOCK + tl.arange(0, BLOCK)
        valid = at < end
    return at, valid


@triton.jit
def _weights(weight, at, valid, acc_type: tl.constexpr):
    if weight is None:
        q = valid.to(acc_type)
    else:
        q = tl.load(weight + at, mask=valid, other=0).to(acc_type)
    return q


@triton.jit
def _per_row(values, begin):
    """Lanes are rows of hard targets, or entries of a single row."""
    return values if begin is None else tl.sum(values, 0)


@triton.jit(do_not_specialize=_SIZES)
def finish(
    score, best, begin, token, weight, row_weights, total, top, s_neg,
    row_loss, lse, argmax, rank, ties, factor, p,
    N, M, first, rows, programs, token_k, weight_k, row_weights_k, row_weights_n, p_k, p_n,
    BLOCK: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    """Loss and log-sum-exp; then P's entries on targets and the factor of its rows, or metrics.

    dloss/dz = P times factor, where factor = w Q / (s total). The metrics of all columns come from
    those of the other columns, which stand in argmax, rank and ties already. A program has BLOCK
    rows, or with several targets one row, of which it takes BLOCK entries at a time.
    """
    k = (tl.program_id(0) // programs).to(tl.int64)
    local = tl.program_id(0) % programs
    start, end, turns = 0, 0, 1
    if begin is None:
        local = local * BLOCK + tl.arange(0, BLOCK)
    n = first + local
    inside = n < N
    if begin is not None:
        start = tl.load(begin + k * (N + 1) + n)
        end = tl.load(begin + k * (N + 1) + n + 1)
        turns = tl.cdiv(end - start, BLOCK)
        weight += k * weight_k
    token += k * token_k
    score += k * M
    out = k * N + n
    target = tl.load(best + out, mask=inside, other=NEVER) * LOG2_E
    others = tl.load(top + out, mask=inside, other=0)
    centre = tl.maximum(others, target)
    negative = tl.load(s_neg + out, mask=inside, other=1) * tl.exp2(others - centre)

    positive = tl.zeros((BLOCK,), acc_type)
    q_sum = tl.zeros((BLOCK,), acc_type)
    column = tl.full((BLOCK,), _NO_COLUMN, tl.int32)
    for j in range(turns):
        at, valid = _lanes(begin, token, n, inside, start, end, j, BLOCK)
        u = tl.load(score + at, mask=valid, other=NEVER) * LOG2_E
        positive += tl.where(valid, tl.exp2(u - centre), 0.0)
        q_sum += _weights(weight, at, valid, acc_type)
        t = tl.load(token + at, mask=valid & (u == target), other=_NO_COLUMN)
        column = tl.minimum(column, t.to(tl.int32))
    pos, Q = _per_row(positive, begin), _per_row(q_sum, begin)

    loss = tl.zeros((BLOCK,), acc_type)
    for j in range(turns):
        at, valid = _lanes(begin, token, n, inside, start, end, j, BLOCK)
        u = tl.load(score + at, mask=valid, other=NEVER) * LOG2_E - centre
        e_t = tl.exp2(u)
        q = _weights(weight, at, valid, acc_type)
        loss += tl.where(valid, q * target_loss(e_t, u, negative, pos), 0.0)
        if p is not None:
            t = tl.load(token + at, mask=valid, other=0)
            entry = target_gradient(e_t, q, Q, negative, pos)
            place = p + k * p_k + local.to(tl.int64) * p_n + t
            tl.store(place, narrow(entry, p.dtype.element_ty), mask=valid)

    w = Q * 0 + 1
    if row_weights is not None:
        at = k * row_weights_k + n.to(tl.int64) * row_weights_n
        w = tl.load(row_weights + at, mask=inside, other=0).to(acc_type)
    s = negative + pos
    tl.store(row_loss + out, w * _per_row(loss, begin), mask=inside)
    tl.store(lse + out, (centre + tl.log2(s)) * LN_2, mask=inside)
    if p is not None:
        tl.store(factor + k * rows + local, w * Q / (s * tl.load(total + k)), mask=inside)
    else:
        none = target < NEVER / 2
        other_column = tl.load(argmax + out, mask=inside, other=0)
        t = _first_column(column, begin).to(tl.int64)
        first_place = tl.minimum(other_column, t)
        found = tl.where(others > target, other_column, tl.where(others < target, t, first_place))
        tl.store(argmax + out, found, mask=inside)
        tl.store(rank + out, tl.full((), -1, tl.int64), mask=inside & none)
        tl.store(ties + out, tl.full((), -1, tl.int64), mask=inside & none)


@triton.jit
def _first_column(column, begin):
    return column if begin is None else tl.min(column, 0)
