"""The targets of a large vocabulary: where each row's begin, and what they score.

Legend: N rows, D width, M entries. A row's entries are [begin[n], begin[n + 1]); hard targets have
no such list: entry n is row n's.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

import triton
import triton.language as tl

from geomem.kernels._tiles import dot
from geomem.kernels.linear_cross_entropy.tile import NEVER, first_entry

_SIZES = ["N", "M", "Q", "steps", "blocks"]


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
