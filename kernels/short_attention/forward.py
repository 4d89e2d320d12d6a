"""Forward kernel of short attention: o = softmax(q k' / sqrt(DH)) v within each sequence.

One program takes one head of a tile of one member's sequences, see `tiles`.
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
def forward_kernel(
    q, k, v, prefix_k, prefix_v, o,
    B, T, P, H, per, tiles,
    q_k, q_b, q_t, q_h, k_k, k_b, k_t, k_h, v_k, v_b, v_t, v_h,
    prefix_k_k, prefix_k_p, prefix_k_h, prefix_v_k, prefix_v_p, prefix_v_h,
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
    queries = load_rows(q, at_q, own, DH, BD)
    keys = load_keys(k, at_k, own, prefix_k, prefix_k_p, i, P, DH, BD)
    values = load_keys(v, at_v, own, prefix_v, prefix_v_p, i, P, DH, BD)
    p, total = softmax(queries, keys, i, s, DH, acc_type)
    p = narrow(p, v.dtype.element_ty)
    mixed = dot(p, values, tl.zeros([BM, BD], acc_type)) / total[:, None]
    to = (((member * B + b) * T + t) * H + head) * DH
    store_rows(o, to, own, mixed, DH)
