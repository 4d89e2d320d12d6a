"""Up to 512 tokens, any number of rows: a program holds whole rows of logits in registers.

It writes the gradient of x and, in x's dtype, that of the logits of a chunk of rows, from which
one matrix product per chunk makes the gradient of the embedding.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

import torch
import triton
import triton.language as tl
from torch import Tensor

from geomem.kernels._tiles import acc_type_of, narrow
from geomem.kernels.linear_cross_entropy.configs import small_config
from geomem.kernels.linear_cross_entropy.problem import (
    Outputs,
    Problem,
    list_strides,
    of_members,
    total_weight,
)
from geomem.kernels.linear_cross_entropy.tile import store_product, whole_rows
from geomem.kernels.linear_cross_entropy.workspace import add_product, chunks, padded

_SIZES = ["N", "V", "M", "steps", "first", "blocks", "metrics", "want_dx", "want_de"]


@triton.jit(do_not_specialize=_SIZES)
def rows(
    x, e, dx, dlogits, total, row, token, weight, row_weights, vocab_sizes,
    row_loss, lse, argmax, rank, ties,
    N, V, D, M, steps, first, blocks,
    x_k, x_n, e_k, e_v, g_k, g_n, row_k, token_k, weight_k, row_weights_k, row_weights_n,
    metrics, want_dx, want_de,
    BN: tl.constexpr, BV: tl.constexpr, BD: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    k = (tl.program_id(0) // blocks).to(tl.int64)
    skipped = (tl.program_id(0) % blocks) * BN
    i, v = tl.arange(0, BN), tl.arange(0, BV)
    start = first + skipped
    n = start + i
    g, factor, _, _ = whole_rows(
        k, x, e, row, token, weight, row_weights, vocab_sizes, row_loss, lse, argmax, rank, ties,
        n, v, N, V, D, M, steps,
        x_k, x_n, e_k, e_v, row_k, token_k, weight_k, row_weights_k, row_weights_n, metrics,
        BD, acc_type,
    )  # fmt: skip
    p = narrow(g * (factor / tl.load(total + k))[:, None], x.dtype.element_ty)
    if want_de:
        at = dlogits + k * g_k + skipped * g_n + i[:, None] * g_n + v[None, :]
        tl.store(at, p, mask=(n < N)[:, None] & (v < g_n)[None, :])
    if want_dx:
        to = dx + (k * N + start) * D
        store_product(p, e + k * e_k, to, i, v, N - start, V, D, e_v, BD, acc_type)


def run(p: Problem, out: Outputs) -> None:
    """Fill `out` for a problem whose inner dimensions are contiguous."""
    K, N, V = *p.x.shape[:2], p.embedding.shape[1]
    total, line = total_weight(p), padded(V)
    if not p.want_de:
        _rows(p, out, total, p.x.new_empty(0, 0, line), 0, N)
    else:
        for at in chunks(K, N, line * p.x.element_size()):
            k = slice(at.k, at.k_end)
            q, part = of_members(p, k), of_members(out, k)
            dlogits = p.x.new_empty(at.k_end - at.k, at.n_end - at.n, line)
            _rows(q, part, total[k], dlogits, at.n, at.n_end)
            x = q.x[:, at.n : at.n_end]
            add_product(part.de, dlogits[:, :, :V].mT, x, first=at.n == 0)
    torch.div(out.row_loss.sum(1), total, out=out.loss)


def _rows(p: Problem, out: Outputs, total: Tensor, dlogits: Tensor, first: int, end: int) -> None:
    (K, N, D), V, M = p.x.shape, p.embedding.shape[1], p.token.shape[1]
    c = small_config(p.x.dtype, V)
    blocks = triton.cdiv(end - first, c.rows)
    rows[(K * blocks,)](
        p.x, p.embedding, out.dx, dlogits, total, p.row, p.token, p.weight, p.row_weights,
        p.vocab_sizes, *out[1:6], N, V, D, M, M.bit_length(), first, blocks,
        *p.x.stride()[:2], *p.embedding.stride()[:2], *dlogits.stride()[:2], *list_strides(p),
        int(p.metrics), int(p.want_dx), int(p.want_de),
        BN=c.rows, BV=c.columns, BD=c.depth, acc_type=acc_type_of(p.x.dtype),
        num_warps=c.warps, num_stages=c.stages,
    )  # fmt: skip
