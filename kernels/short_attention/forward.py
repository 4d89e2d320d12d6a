"""Forward kernel of short attention: o = softmax(q k' / sqrt(DH)) v within each sequence.

One program takes one head of one member through several tiles of sequences, see `tiles`.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

import triton
import triton.language as tl

from geomem.kernels._tiles import dot, narrow
from geomem.kernels.short_attention.tiles import load_keys, load_rows, places, sequences, softmax


@triton.jit
def forward_kernel(
    q, k, v, prefix_k, prefix_v, o,
    B, T, P, H, per, slices, per_program,
    q_k, q_b, q_t, q_h, k_k, k_b, k_t, k_h, v_k, v_b, v_t, v_h,
    prefix_k_k, prefix_k_p, prefix_k_h, prefix_v_k, prefix_v_p, prefix_v_h,
    DH: tl.constexpr, BM: tl.constexpr, BD: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    head, part = (program % H).to(tl.int64), program // H
    member, first = (part // slices).to(tl.int64), part % slices * per_program
    q += member * q_k + head * q_h
    k += member * k_k + head * k_h
    v += member * v_k + head * v_h
    o += (member * B * T * H + head) * DH
    if prefix_k is not None:
        prefix_k += member * prefix_k_k + head * prefix_k_h
        prefix_v += member * prefix_v_k + head * prefix_v_h
    i, s, t = places(P, T, BM)
    t = t.to(tl.int64)
    for tile in range(first, tl.minimum(first + per_program, tl.cdiv(B, per))):
        b, own = sequences(tile, per, i, s, T, B)
        queries = load_rows(q, b * q_b + t * q_t, own, DH, BD)
        keys = load_keys(k, b * k_b + t * k_t, own, prefix_k, prefix_k_p, i, P, DH, BD)
        values = load_keys(v, b * v_b + t * v_t, own, prefix_v, prefix_v_p, i, P, DH, BD)
        p, total = softmax(queries, keys, i, s, DH, acc_type)
        p = narrow(p, v.dtype.element_ty)
        mixed = dot(p, values, tl.zeros([BM, BD], acc_type)) / total[:, None]
        d = tl.arange(0, BD)[None, :]
        at = o + ((b * T + t) * H * DH)[:, None] + d
        tl.store(at, narrow(mixed, o.dtype.element_ty), mask=own[:, None] & (d < DH))
