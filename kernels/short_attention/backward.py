"""Backward kernel of short attention. With P = softmax(S), S = q k' / sqrt(DH), o = P v:

    dv = P' do      dP = do v'      dS = P (dP - sum of P dP over the row)
    dq = dS k / sqrt(DH)            dk = dS' q / sqrt(DH)

The inputs are all that is saved; P is made again. One program takes one head of a tile of one
member's sequences; what the rows of a prefix get from it stands in `dprefix_k` and `dprefix_v`,
[K,tiles,P,H,DH], to be summed over the tiles.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

import triton
import triton.language as tl

from geomem.kernels._tiles import dot, narrow
from geomem.kernels.short_attention.tiles import (
    SIZES,
    load_keys,
    load_rows,
    places,
    softmax,
    store_rows,
)


@triton.jit(do_not_specialize=SIZES)
def backward_kernel(
    q, k, v, prefix_k, prefix_v, do, dq, dk, dv, dprefix_k, dprefix_v,
    B, T, P, H, per, tiles,
    q_k, q_b, q_t, q_h, k_k, k_b, k_t, k_h, v_k, v_b, v_t, v_h,
    prefix_k_k, prefix_k_p, prefix_k_h, prefix_v_k, prefix_v_p, prefix_v_h,
    do_k, do_b, do_t, do_h,
    DH: tl.constexpr, BM: tl.constexpr, BD: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    head, part = (program % H).to(tl.int64), program // H
    member, tile = (part // tiles).to(tl.int64), part % tiles
    if prefix_k is not None:
        prefix_k += member * prefix_k_k + head * prefix_k_h
        prefix_v += member * prefix_v_k + head * prefix_v_h
    i, s, b, t, own = places(tile, per, B, T, P, BM)
    at_q = member * q_k + b * q_b + t * q_t + head * q_h
    at_k = member * k_k + b * k_b + t * k_t + head * k_h
    at_v = member * v_k + b * v_b + t * v_t + head * v_h
    at_do = member * do_k + b * do_b + t * do_t + head * do_h
    queries = load_rows(q, at_q, own, DH, BD)
    keys = load_keys(k, at_k, own, prefix_k, prefix_k_p, i, P, DH, BD)
    values = load_keys(v, at_v, own, prefix_v, prefix_v_p, i, P, DH, BD)
    given = load_rows(do, at_do, own, DH, BD)
    to = (((member * B + b) * T + t) * H + head) * DH
    before, to_before = i < 0, ((part.to(tl.int64) * P + (i + P)) * H + head) * DH
    p, total = softmax(queries, keys, i, s, DH, acc_type)
    p /= total[:, None]
    dvalues = dot(tl.trans(narrow(p, given.dtype)), given, tl.zeros([BM, BD], acc_type))
    store_rows(dv, to, own, dvalues, DH)
    if dprefix_v is not None:
        store_rows(dprefix_v, to_before, before, dvalues, DH)
    dp = dot(given, tl.trans(values), tl.zeros([BM, BM], acc_type))
    ds = p * (dp - tl.sum(p * dp, 1)[:, None]) * DH**-0.5
    ds = narrow(ds, queries.dtype)
    store_rows(dq, to, own, dot(ds, keys, tl.zeros([BM, BD], acc_type)), DH)
    dkeys = dot(tl.trans(ds), queries, tl.zeros([BM, BD], acc_type))
    store_rows(dk, to, own, dkeys, DH)
    if dprefix_k is not None:
        store_rows(dprefix_k, to_before, before, dkeys, DH)
