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
    load_inputs,
    places,
    softmax,
    store_rows,
)


@triton.jit(do_not_specialize=SIZES)
def forward_kernel(
    q, k, v, prefix_q, prefix_k, prefix_v, bias, o, prefix_o,
    B, T, P, H, per, tiles,
    q_k, q_b, q_t, q_h, k_k, k_b, k_t, k_h, v_k, v_b, v_t, v_h,
    prefix_q_k, prefix_q_p, prefix_q_h, prefix_k_k, prefix_k_p, prefix_k_h,
    prefix_v_k, prefix_v_p, prefix_v_h,
    o_k, o_b, o_t, o_h, prefix_o_k, prefix_o_p, prefix_o_h,
    DH: tl.constexpr, BM: tl.constexpr, BD: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    head, part = (program % H).to(tl.int64), program // H
    member, tile = (part // tiles).to(tl.int64), part % tiles
    i, s, b, t, own = places(tile, per, B, T, P, BM)
    asking = (i < 0) & (tile == 0)
    queries, keys, values = load_inputs(
        q, k, v, prefix_q, prefix_k, prefix_v, bias, member, head, H, P, i, b, t, own, asking,
        q_k, q_b, q_t, q_h, k_k, k_b, k_t, k_h, v_k, v_b, v_t, v_h,
        prefix_q_k, prefix_q_p, prefix_q_h, prefix_k_k, prefix_k_p, prefix_k_h,
        prefix_v_k, prefix_v_p, prefix_v_h, DH, BD, acc_type,
    )  # fmt: skip
    p, total = softmax(queries, keys, i, s, DH, acc_type)
    p = narrow(p, v.dtype.element_ty)
    mixed = dot(p, values, tl.zeros([BM, BD], acc_type)) / total[:, None]
    store_rows(o, member * o_k + b * o_b + t * o_t + head * o_h, own, mixed, DH)
    if prefix_o is not None:
        at = member * prefix_o_k + head * prefix_o_h + (i + P).to(tl.int64) * prefix_o_p
        store_rows(prefix_o, at, asking, mixed, DH)
