"""The targets of a large vocabulary: where each row's begin, and what they score.

Legend: N rows, D width, M entries. A row's entries are [begin[n], begin[n + 1]); hard targets have
no such list: entry n is row n's.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from geomem.kernels._tiles import acc_type_of, dot
from geomem.kernels.linear_cross_entropy.configs import (
    LIST,
    Config,
    large_config,
    scores_config,
)
from geomem.kernels.linear_cross_entropy.problem import Problem, acc_dtype, list_strides
from geomem.kernels.linear_cross_entropy.tile import NEVER, first_entry

_SIZES = ["N", "M", "Q", "steps", "blocks", "row_k", "token_k"]


@triton.jit(do_not_specialize=_SIZES)
def begins(keys, begin, Q, M, steps, blocks, keys_k, BLOCK: tl.constexpr):
    """begin [K, Q]: index of the first of M ascending keys that is at or past q; -1 is past all."""
    k = (tl.program_id(0) // blocks).to(tl.int64)
    q = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    tl.store(begin + k * Q + q, first_entry(keys + k * keys_k, q, M, steps), mask=q < Q)


@triton.jit(do_not_specialize=_SIZES)
def scores(
    x, e, row, token, score, M, D, blocks, x_k, x_n, e_k, e_v, row_k, token_k,
    BLOCK: tl.constexpr, BD: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    """Logit of each entry, [K, M]: the diagonal of a product, which rounds as a tile's logits."""
    k = (tl.program_id(0) // blocks).to(tl.int64)
    at = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    inside = at < M
    t = tl.load(token + k * token_k + at, mask=inside, other=-1).to(tl.int64)
    if row is None:
        n = at.to(tl.int64)
        valid = t >= 0
    else:
        n = tl.load(row + k * row_k + at, mask=inside, other=-1).to(tl.int64)
        valid = n >= 0
    x += k * x_k + n[:, None] * x_n
    e += k * e_k + t[None, :] * e_v
    z = tl.zeros((BLOCK, BLOCK), acc_type)
    for d in range(0, D, BD):
        c = d + tl.arange(0, BD)
        a = tl.load(x + c[None, :], mask=valid[:, None] & (c < D)[None, :], other=0)
        b = tl.load(e + c[:, None], mask=valid[None, :] & (c < D)[:, None], other=0)
        z = dot(a, b, z)
    i = tl.arange(0, BLOCK)
    z = tl.sum(tl.where(i[:, None] == i[None, :], z, 0.0), 1)
    tl.store(score + k * M + at, tl.where(valid, z, NEVER), mask=inside)


@triton.jit(do_not_specialize=_SIZES)
def extremes(score, begin, best, worst, N, M, BLOCK: tl.constexpr, acc_type: tl.constexpr):
    """Best and worst score of each row's targets, [K, N]; NEVER where there is none."""
    k, n = (tl.program_id(0) // N).to(tl.int64), tl.program_id(0) % N
    start, end = tl.load(begin + k * (N + 1) + n), tl.load(begin + k * (N + 1) + n + 1)
    high = tl.full((BLOCK,), NEVER, acc_type)
    low = tl.full((BLOCK,), -NEVER, acc_type)
    for m in range(start, end, BLOCK):
        at = m + tl.arange(0, BLOCK)
        z = tl.load(score + k * M + at, mask=at < end, other=NEVER)
        high = tl.maximum(high, z)
        low = tl.where(at < end, tl.minimum(low, z), low)
    tl.store(best + k * N + n, tl.max(high, 0))
    tl.store(worst + k * N + n, tl.where(start < end, tl.min(low, 0), NEVER))


class LargeTargets(NamedTuple):
    """score [K, M]; best, worst [K, N]; the rest for several targets per row only.

    begin [K, N + 1]: entries of each row; starts [K, blocks * tiles + 1]: entries of each tile in
    row and token [K, M], which are sorted by tile. Hard targets: token is the caller's.
    """

    score: Tensor
    best: Tensor
    worst: Tensor
    begin: Tensor | None
    starts: Tensor | None
    row: Tensor | None
    token: Tensor


def find_targets(p: Problem) -> LargeTargets:
    """Score the targets of a problem, and sort them for the kernels on tiles."""
    (K, N, D), M = p.x.shape, p.token.shape[1]
    c, acc_type = scores_config(p.x.dtype), acc_type_of(p.x.dtype)
    score = p.x.new_empty((K, M), dtype=acc_dtype(p.x.dtype))
    blocks = triton.cdiv(M, c.rows)
    scores[(K * blocks,)](
        p.x, p.embedding, p.row, p.token, score, M, D, blocks,
        *p.x.stride()[:2], *p.embedding.stride()[:2], *list_strides(p)[:2],
        BLOCK=c.rows, BD=c.depth, acc_type=acc_type, num_warps=c.warps, num_stages=c.stages,
    )  # fmt: skip
    if p.row is None:
        return LargeTargets(score, score, score, None, None, None, p.token)
    begin = _begins(p.row, N + 1)
    best, worst = score.new_empty(2, K, N).unbind()
    extremes[(K * N,)](
        score, begin, best, worst, N, M,
        BLOCK=LIST.rows, acc_type=acc_type, num_warps=LIST.warps,
    )  # fmt: skip
    return LargeTargets(score, best, worst, begin, *_by_tile(p, p.row, large_config(p.x.dtype)))


def _begins(keys: Tensor, Q: int) -> Tensor:
    """First entry at or past each of 0 ... Q - 1 in ascending keys [K, M], int32 [K, Q]."""
    (K, M), blocks = keys.shape, triton.cdiv(Q, LIST.rows)
    begin = torch.empty((K, Q), dtype=torch.int32, device=keys.device)
    begins[(K * blocks,)](
        keys, begin, Q, M, M.bit_length(), blocks, keys.stride(0),
        BLOCK=LIST.rows, num_warps=LIST.warps,
    )  # fmt: skip
    return begin


def _by_tile(p: Problem, row: Tensor, c: Config) -> tuple[Tensor, Tensor, Tensor]:
    tiles = triton.cdiv(p.embedding.shape[1], c.columns)
    buckets = triton.cdiv(p.x.shape[1], c.rows) * tiles
    key = row // c.rows * tiles + p.token // c.columns
    key, order = torch.where(row >= 0, key, buckets).sort(dim=1, stable=True)
    sorted_row, sorted_token = (t.gather(1, order).int() for t in (row, p.token))
    return _begins(key, buckets + 1), sorted_row, sorted_token
