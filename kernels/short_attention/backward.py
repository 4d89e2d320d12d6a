"""Backward kernel of short attention. With P = softmax(S), S = q k' / sqrt(DH), o = P v:

    dv = P' do      dP = do v'      dS = P (dP - sum of P dP over the row)
    dq = dS k / sqrt(DH)            dk = dS' q / sqrt(DH)

The inputs are all that is saved; P is made again. One program takes one head of one member
through several tiles. What the rows of a prefix get from all of them is summed up, in the order
of the tiles, in a place that the program has for itself in `dprefix_k` and `dprefix_v`.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201, ANN202

import triton
import triton.language as tl

from geomem.kernels._tiles import dot, narrow
from geomem.kernels.short_attention.tiles import load_keys, load_rows, places, sequences, softmax


@triton.jit
def _store(out, sums, offsets, own, i, P, H, rows, again, DH: tl.constexpr):
    """Rows of sequences to their places in `out`; those of the prefix onto what `sums` holds."""
    d = tl.arange(0, rows.shape[1])[None, :]
    tl.store(
        out + offsets[:, None] + d,
        narrow(rows, out.dtype.element_ty),
        mask=own[:, None] & (d < DH),
    )
    if sums is not None:
        at = sums + (i + P)[:, None] * H * DH + d
        inside = (i < 0)[:, None] & (d < DH)
        tl.store(at, rows + tl.load(at, mask=inside & again, other=0.0), mask=inside)


@triton.jit
def backward_kernel(
    q, k, v, prefix_k, prefix_v, do, dq, dk, dv, dprefix_k, dprefix_v,
    B, T, P, H, per, slices, per_program,
    q_k, q_b, q_t, q_h, k_k, k_b, k_t, k_h, v_k, v_b, v_t, v_h,
    prefix_k_k, prefix_k_p, prefix_k_h, prefix_v_k, prefix_v_p, prefix_v_h,
    do_k, do_b, do_t, do_h,
    DH: tl.constexpr, BM: tl.constexpr, BD: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    head, part = (program % H).to(tl.int64), program // H
    member, first = (part // slices).to(tl.int64), part % slices * per_program
    q += member * q_k + head * q_h
    k += member * k_k + head * k_h
    v += member * v_k + head * v_h
    do += member * do_k + head * do_h
    if prefix_k is not None:
        prefix_k += member * prefix_k_k + head * prefix_k_h
        prefix_v += member * prefix_v_k + head * prefix_v_h
        dprefix_k += (part.to(tl.int64) * P * H + head) * DH
        dprefix_v += (part.to(tl.int64) * P * H + head) * DH
    i, s, t = places(P, T, BM)
    t = t.to(tl.int64)
    for tile in range(first, tl.minimum(first + per_program, tl.cdiv(B, per))):
        b, own = sequences(tile, per, i, s, T, B)
        queries = load_rows(q, b * q_b + t * q_t, own, DH, BD)
        keys = load_keys(k, b * k_b + t * k_t, own, prefix_k, prefix_k_p, i, P, DH, BD)
        values = load_keys(v, b * v_b + t * v_t, own, prefix_v, prefix_v_p, i, P, DH, BD)
        given = load_rows(do, b * do_b + t * do_t, own, DH, BD)
        to, again = ((member * B + b) * T + t) * H * DH + head * DH, tile > first
        p, total = softmax(queries, keys, i, s, DH, acc_type)
        p /= total[:, None]
        dvalues = dot(tl.trans(narrow(p, given.dtype)), given, tl.zeros([BM, BD], acc_type))
        _store(dv, dprefix_v, to, own, i, P, H, dvalues, again, DH)
        dp = dot(given, tl.trans(values), tl.zeros([BM, BM], acc_type))
        ds = p * (dp - tl.sum(p * dp, 1)[:, None]) * DH**-0.5
        ds = narrow(ds, queries.dtype)
        dqueries = dot(ds, keys, tl.zeros([BM, BD], acc_type))
        _store(dq, None, to, own, i, P, H, dqueries, again, DH)
        dkeys = dot(tl.trans(ds), queries, tl.zeros([BM, BD], acc_type))
        _store(dk, dprefix_k, to, own, i, P, H, dkeys, again, DH)
        if dprefix_k is not None:
            tl.debug_barrier()  # the threads that hold a row of the sums need not stay the same
