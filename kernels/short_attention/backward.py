"""Backward kernel of short attention. With P = softmax(S), S = q k' / sqrt(DH), o = P v:

    dv = P' do      dP = do v'      dS = P (dP - sum of P dP over the row)
    dq = dS k / sqrt(DH)            dk = dS' q / sqrt(DH)

The inputs are all that is saved; P is made again. One program takes one head of a tile of one
member's sequences. What the keys and values of a prefix get from it stands in `part_k` and
`part_v`, [K,tiles,P,H,DH], to be summed over the tiles by `prefix_kernel`; what the bias gets, in
`dbias`, [K,tiles,3,H,DH], the sums of dq, dk and dv over all rows.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201, ANN202

import triton
import triton.language as tl

from geomem.kernels._tiles import dot, narrow
from geomem.kernels.short_attention.tiles import (
    SIZES,
    load_after,
    load_inputs,
    places,
    softmax,
    store_rows,
)


@triton.jit
def _store_row(out, row, DH: tl.constexpr):
    d = tl.arange(0, row.shape[0])
    tl.store(out + d, row, mask=d < DH)


@triton.jit
def _leave(rows, out, to, own, prefix, to_prefix, before, sums, to_sums, DH: tl.constexpr):
    """Store the rows of sequences, those of a prefix, and their sum, each where it is wanted."""
    store_rows(out, to, own, rows, DH)
    if prefix is not None:
        store_rows(prefix, to_prefix, before, rows, DH)
    if sums is not None:
        _store_row(sums + to_sums, tl.sum(rows, 0), DH)


@triton.jit(do_not_specialize=SIZES)
def backward_kernel(
    q, k, v, prefix_q, prefix_k, prefix_v, bias, do, prefix_do,
    dq, dk, dv, dprefix_q, part_k, part_v, dbias,
    B, T, P, H, per, tiles,
    q_k, q_b, q_t, q_h, k_k, k_b, k_t, k_h, v_k, v_b, v_t, v_h,
    prefix_q_k, prefix_q_p, prefix_q_h, prefix_k_k, prefix_k_p, prefix_k_h,
    prefix_v_k, prefix_v_p, prefix_v_h,
    do_k, do_b, do_t, do_h, prefix_do_k, prefix_do_p, prefix_do_h,
    d_k, d_b, d_t, d_h, dprefix_k, dprefix_p, dprefix_h, dbias_k,
    DH: tl.constexpr, BM: tl.constexpr, BD: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    head, part = (program % H).to(tl.int64), program // H
    member, tile = (part // tiles).to(tl.int64), part % tiles
    i, s, b, t, own = places(tile, per, B, T, P, BM)
    asking, place = (i < 0) & (tile == 0), (i + P).to(tl.int64)
    queries, keys, values = load_inputs(
        q, k, v, prefix_q, prefix_k, prefix_v, bias, member, head, H, P, i, b, t, own, asking,
        q_k, q_b, q_t, q_h, k_k, k_b, k_t, k_h, v_k, v_b, v_t, v_h,
        prefix_q_k, prefix_q_p, prefix_q_h, prefix_k_k, prefix_k_p, prefix_k_h,
        prefix_v_k, prefix_v_p, prefix_v_h, DH, BD, acc_type,
    )  # fmt: skip
    at_do = member * do_k + b * do_b + t * do_t + head * do_h
    before = member * prefix_do_k + head * prefix_do_h + place * prefix_do_p
    given = load_after(do, at_do, own, prefix_do, before, asking, DH, BD)
    to = member * d_k + b * d_b + t * d_t + head * d_h
    to_part = ((part.to(tl.int64) * P + place) * H + head) * DH
    if dbias is not None:
        dbias += member * dbias_k + (tile.to(tl.int64) * 3 * H + head) * DH
    p, total = softmax(queries, keys, i, s, DH, acc_type)
    p /= total[:, None]
    # What is done is stored at once, and needs no registers any more.
    dvalues = dot(tl.trans(narrow(p, given.dtype)), given, tl.zeros([BM, BD], acc_type))
    _leave(dvalues, dv, to, own, part_v, to_part, i < 0, dbias, 2 * H * DH, DH)
    dp = dot(given, tl.trans(values), tl.zeros([BM, BM], acc_type))
    ds = p * (dp - tl.sum(p * dp, 1)[:, None]) * DH**-0.5
    ds = narrow(ds, queries.dtype)
    dqueries = dot(ds, keys, tl.zeros([BM, BD], acc_type))
    to_prefix = member * dprefix_k + head * dprefix_h + place * dprefix_p
    _leave(dqueries, dq, to, own, dprefix_q, to_prefix, asking, dbias, 0, DH)
    dkeys = dot(tl.trans(ds), queries, tl.zeros([BM, BD], acc_type))
    _leave(dkeys, dk, to, own, part_k, to_part, i < 0, dbias, H * DH, DH)


@triton.jit
def _summed(parts, first, apart, tiles, BT: tl.constexpr, DH: tl.constexpr, BD: tl.constexpr):
    """The sum over the tiles of a row [DH]."""
    d, sums = tl.arange(0, BD)[None, :], tl.zeros([BT, BD], parts.dtype.element_ty)
    for start in range(0, tiles, BT):
        tile = (start + tl.arange(0, BT))[:, None]
        mask = (tile < tiles) & (d < DH)
        sums += tl.load(parts + first + tile.to(tl.int64) * apart + d, mask=mask, other=0.0)
    return tl.sum(sums, 0)


@triton.jit(do_not_specialize=["tiles", "P", "H"])
def prefix_kernel(
    part_k, part_v, dk, dv, tiles, P, H, d_k, d_p, d_h,
    DH: tl.constexpr, BT: tl.constexpr, BD: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    head, rest = (program % H).to(tl.int64), (program // H).to(tl.int64)
    member, place = rest // P, rest % P
    first, apart = ((member * tiles * P + place) * H + head) * DH, P * H * DH
    to = member * d_k + place * d_p + head * d_h
    row = _summed(part_k, first, apart, tiles, BT, DH, BD)
    _store_row(dk + to, narrow(row, dk.dtype.element_ty), DH)
    row = _summed(part_v, first, apart, tiles, BT, DH, BD)
    _store_row(dv + to, narrow(row, dv.dtype.element_ty), DH)
