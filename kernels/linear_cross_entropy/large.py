"""Any vocabulary: one product in Triton, two in cuBLAS, over chunks of rows.

The gradient of the logits is P times a factor per row, P = 2^(u - centre) off the targets, and P is
all that is ever written of the size of the logits, for one chunk at a time. With xs = factor x:
dx = factor (P @ embedding) and de = P.T @ xs.
"""

import torch
import triton
from torch import Tensor

from geomem.kernels._tiles import acc_type_of
from geomem.kernels.linear_cross_entropy.configs import (
    GROUP,
    LIST,
    REDUCE,
    RESCALE,
    Config,
    large_config,
)
from geomem.kernels.linear_cross_entropy.large_rows import finish, over_tiles, rescale
from geomem.kernels.linear_cross_entropy.large_targets import LargeTargets, find_targets
from geomem.kernels.linear_cross_entropy.large_tiles import counts, exponentials
from geomem.kernels.linear_cross_entropy.problem import (
    Outputs,
    Problem,
    acc_dtype,
    list_strides,
    of_members,
    total_weight,
)
from geomem.kernels.linear_cross_entropy.workspace import (
    Chunk,
    add_product,
    chunks,
    padded,
    product,
)


def run(p: Problem, out: Outputs) -> None:
    """Fill `out` for a problem whose inner dimensions are contiguous."""
    K, N, V = *p.x.shape[:2], p.embedding.shape[1]
    total, targets = total_weight(p), find_targets(p)
    training = p.want_dx or p.want_de
    if p.metrics or not training:
        tiles = triton.cdiv(V, large_config(p.x.dtype).columns)
        for at in chunks(K, N, 5 * 4 * tiles):
            _evaluate(*_part(p, out, targets, total, at), at)
    if not p.metrics:
        for t in (out.argmax, out.rank, out.ties):
            t.fill_(-1)
    if training:
        for at in chunks(K, N, padded(V) * p.x.element_size()):
            _train(*_part(p, out, targets, total, at), at)
    torch.div(out.row_loss.sum(1), total, out=out.loss)


def _part(
    p: Problem, out: Outputs, targets: LargeTargets, total: Tensor, at: Chunk
) -> tuple[Problem, Outputs, LargeTargets, Tensor]:
    k = slice(at.k, at.k_end)
    return of_members(p, k), of_members(out, k), of_members(targets, k), total[k]


def _tile_arguments(p: Problem, t: LargeTargets, at: Chunk) -> tuple[Config, dict[str, object]]:
    """What both kernels on tiles take by name: of the chunk, and of the targets for masking."""
    c, V = large_config(p.x.dtype), p.embedding.shape[1]
    shared = {
        "token": t.token, "row": t.row, "starts": t.starts, "vocab_sizes": p.vocab_sizes,
        "N": p.x.shape[1], "V": V, "D": p.x.shape[2], "first": at.n,
        "blocks": triton.cdiv(at.n_end - at.n, c.rows), "tiles": triton.cdiv(V, c.columns),
        "x_k": p.x.stride(0), "x_n": p.x.stride(1),
        "e_k": p.embedding.stride(0), "e_v": p.embedding.stride(1),
        "token_k": t.token.stride(0), "starts_k": 0 if t.starts is None else t.starts.stride(0),
        "rows": at.n_end - at.n,
        "BN": c.rows, "BV": c.columns, "BD": c.depth, "group": GROUP,
        "acc_type": acc_type_of(p.x.dtype),
        "num_warps": c.warps, "num_stages": c.stages, "maxnreg": c.registers,
    }  # fmt: skip
    return c, shared


def _evaluate(p: Problem, out: Outputs, t: LargeTargets, total: Tensor, at: Chunk) -> None:
    (K, N, _), rows = p.x.shape, at.n_end - at.n
    c, shared = _tile_arguments(p, t, at)
    tiles = triton.cdiv(p.embedding.shape[1], c.columns)
    peaks, sums = p.x.new_empty((2, K, tiles, rows), dtype=acc_dtype(p.x.dtype)).unbind()
    columns, above, equal = p.x.new_empty((3, K, tiles, rows), dtype=torch.int32).unbind()
    grid = (K * triton.cdiv(rows, c.rows) * tiles,)
    counts[grid](
        p.x, p.embedding, t.worst, peaks=peaks, sums=sums, columns=columns, above=above,
        equal=equal, worsts_k=t.worst.stride(0), **shared,
    )  # fmt: skip
    top, s_neg = p.x.new_empty((2, K, N), dtype=acc_dtype(p.x.dtype)).unbind()
    _over_tiles(p, out, at, (peaks, sums, columns, above, equal), (top, None, s_neg))
    _finish(p, out, t, total, at, (top, s_neg), None, None)


def _train(p: Problem, out: Outputs, t: LargeTargets, total: Tensor, at: Chunk) -> None:
    (K, N, _), rows, V = p.x.shape, at.n_end - at.n, p.embedding.shape[1]
    c, shared = _tile_arguments(p, t, at)
    tiles = triton.cdiv(V, c.columns)
    P = p.x.new_empty((K, rows, padded(V)))
    peaks, sums = p.x.new_empty((2, K, tiles, rows), dtype=acc_dtype(p.x.dtype)).unbind()
    grid = (K * triton.cdiv(rows, c.rows) * tiles,)
    exponentials[grid](
        p.x, p.embedding, t.best, p=P, peaks=peaks, sums=sums, centres_k=t.best.stride(0),
        p_k=P.stride(0), p_n=P.stride(1), **shared,
    )  # fmt: skip
    top, low, s_neg = p.x.new_empty((3, K, N), dtype=acc_dtype(p.x.dtype)).unbind()
    _over_tiles(p, out, at, (peaks, sums, None, None, None), (top, low, s_neg))
    blocks = triton.cdiv(rows, RESCALE.rows)
    rescale[(K * blocks,)](
        P, peaks, top, low, t.best, N, V, at.n, tiles, rows, blocks, *P.stride()[:2],
        BLOCK=RESCALE.rows, BV=c.columns, acc_type=acc_type_of(p.x.dtype), num_warps=RESCALE.warps,
    )  # fmt: skip
    del peaks, sums  # as large as a product of the chunk
    factor = p.x.new_empty((K, rows, 1), dtype=acc_dtype(p.x.dtype))
    _finish(p, out, t, total, at, (top, s_neg), factor, P)
    P, chunk = P[:, :, :V], slice(at.n, at.n_end)
    if p.want_dx:
        torch.mul(product(P, p.embedding), factor, out=out.dx[:, chunk])
    if p.want_de:
        xs = torch.empty_like(p.x[:, chunk], memory_format=torch.contiguous_format)
        torch.mul(p.x[:, chunk], factor, out=xs)
        add_product(out.de, P.mT, xs, first=at.n == 0)


def _over_tiles(
    p: Problem,
    out: Outputs,
    at: Chunk,
    tiles: tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None],
    found: tuple[Tensor, Tensor | None, Tensor],
) -> None:
    (K, count, rows), blocks = tiles[0].shape, triton.cdiv(at.n_end - at.n, REDUCE.rows)
    over_tiles[(K * blocks,)](
        *tiles, *found, out.argmax, out.rank, out.ties, count, rows, at.n, p.x.shape[1], blocks,
        BLOCK=REDUCE.rows, TILES=REDUCE.columns, acc_type=acc_type_of(p.x.dtype),
        num_warps=REDUCE.warps,
    )  # fmt: skip


def _finish(
    p: Problem,
    out: Outputs,
    t: LargeTargets,
    total: Tensor,
    at: Chunk,
    sums: tuple[Tensor, Tensor],
    factor: Tensor | None,
    P: Tensor | None,
) -> None:
    (K, N, _), rows = p.x.shape, at.n_end - at.n
    programs = triton.cdiv(rows, LIST.rows) if t.begin is None else rows
    finish[(K * programs,)](
        t.score, t.best, t.begin, p.token, p.weight, p.row_weights, total, *sums,
        *out[1:6], factor, P, N, p.token.shape[1], at.n, rows, programs,
        *list_strides(p)[1:], *((0, 0) if P is None else P.stride()[:2]),
        BLOCK=LIST.rows, acc_type=acc_type_of(p.x.dtype), num_warps=LIST.warps,
    )  # fmt: skip
