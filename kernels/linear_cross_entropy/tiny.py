"""Up to 128 tokens and 64 rows: one program does all of a member, one launch all of a stack.

The logits stay in registers. x and the embedding are read twice, the second time from the cache.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

import triton
import triton.language as tl

from geomem.kernels._tiles import acc_type_of, narrow
from geomem.kernels.linear_cross_entropy.configs import tiny_config
from geomem.kernels.linear_cross_entropy.problem import Outputs, Problem, list_strides
from geomem.kernels.linear_cross_entropy.tile import store_product, whole_rows

_SIZES = ["N", "V", "M", "steps", "metrics", "want_dx", "want_de"]


@triton.jit(do_not_specialize=_SIZES)
def members(
    x, e, dx, de, row, token, weight, row_weights, vocab_sizes,
    loss, row_loss, lse, argmax, rank, ties,
    N, V, D, M, steps,
    x_k, x_n, e_k, e_v, row_k, token_k, weight_k, row_weights_k, row_weights_n,
    metrics, want_dx, want_de,
    BN: tl.constexpr, BV: tl.constexpr, BD: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(0).to(tl.int64)
    n, v = tl.arange(0, BN), tl.arange(0, BV)
    g, factor, q_sum, row_sum = whole_rows(
        k, x, e, row, token, weight, row_weights, vocab_sizes, row_loss, lse, argmax, rank, ties,
        n, v, N, V, D, M, steps,
        x_k, x_n, e_k, e_v, row_k, token_k, weight_k, row_weights_k, row_weights_n, metrics,
        BD, acc_type,
    )  # fmt: skip
    total = tl.maximum(tl.sum(q_sum, 0), 1e-37)
    tl.store(loss + k, tl.sum(row_sum, 0) / total)
    p = narrow(g * (factor / total)[:, None], x.dtype.element_ty)
    if want_dx:
        store_product(p, e + k * e_k, dx + k * N * D, n, v, N, V, D, e_v, BD, acc_type)
    if want_de:
        store_product(tl.trans(p), x + k * x_k, de + k * V * D, v, n, V, N, D, x_n, BD, acc_type)


def run(p: Problem, out: Outputs) -> None:
    """Fill `out` for a problem whose inner dimensions are contiguous."""
    (K, N, D), V, M = p.x.shape, p.embedding.shape[1], p.token.shape[1]
    c = tiny_config(p.x.dtype, N, V)
    members[(K,)](
        p.x, p.embedding, out.dx, out.de, p.row, p.token, p.weight, p.row_weights, p.vocab_sizes,
        *out[:6], N, V, D, M, M.bit_length(),
        *p.x.stride()[:2], *p.embedding.stride()[:2], *list_strides(p),
        int(p.metrics), int(p.want_dx), int(p.want_de),
        BN=c.rows, BV=c.columns, BD=c.depth, acc_type=acc_type_of(p.x.dtype),
        num_warps=c.warps, num_stages=c.stages,
    )  # fmt: skip
