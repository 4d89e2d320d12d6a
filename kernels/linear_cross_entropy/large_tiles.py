"""Tiles of logits of a large vocabulary: exponentials for training, counts for evaluation.

Legend: N rows, V columns, D width, M entries; a chunk holds rows [first, N); u = z log2 e.

A tile never knows the maximum of its rows. For training, exponentials are kept beside a centre c
per row, the score of its best target: P = 2^(u - c - m) with m = 0, unless a tile exceeds 2^64,
when m is the next multiple of 64 and the row is put right later (bf16 has the range of fp32). For
evaluation nothing is kept, and each tile takes its own maximum.

Target columns are left out of every sum, count and maximum: 1 - p is then a sum of positive terms.
With one target per row that is a comparison. Several targets are looked up by tile, in lists sorted
by (block of rows, tile), and pushed down by 2^100 with one more step of the matrix product, of
indicator rows and columns.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

import triton
import triton.language as tl

from geomem.kernels._tiles import dot, narrow
from geomem.kernels.linear_cross_entropy.tile import LOG2_E, NEVER, logits

_SIZES = ["N", "V", "first", "blocks", "tiles", "rows"]
_LOWER = tl.constexpr(-(2.0**100))
_ENTRIES = tl.constexpr(16)  # of a tile at a time: the shortest step of a matrix product


@triton.jit
def place(pid, blocks, tiles, group: tl.constexpr):
    """Member, block of rows and tile of a program; blocks of a group go first, for the cache."""
    k, pid = pid // (blocks * tiles), pid % (blocks * tiles)
    start = (pid // (group * tiles)) * group
    size = tl.minimum(blocks - start, group)
    pid = pid % (group * tiles)
    return k.to(tl.int64), start + pid % size, pid // size


@triton.jit
def masked_logits(
    x, e, token, row, starts, vocab_size, n, v, bucket, N, V, D, x_n, e_v,
    depth: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    """Logits with target columns and columns past the vocabulary far below all others."""
    z = logits(x, e, n, v, N, V, D, x_n, e_v, depth, acc_type)
    if starts is None:
        t = tl.load(token + n, mask=n < N, other=-1).to(tl.int32)
        z = tl.where(v[None, :] == t[:, None], NEVER, z)
    else:
        dtype: tl.constexpr = x.dtype.element_ty
        end = tl.load(starts + bucket + 1)
        for m in range(tl.load(starts + bucket), end, _ENTRIES):
            at = m + tl.arange(0, _ENTRIES)
            r = tl.load(row + at, mask=at < end, other=-1)
            t = tl.load(token + at, mask=at < end, other=-1)
            in_row = (n[:, None] == r[None, :]).to(tl.float32).to(dtype)
            lower = tl.where(t[:, None] == v[None, :], _LOWER, 0.0).to(dtype)
            z = dot(in_row, lower, z)
    size = V
    if vocab_size is not None:
        size = tl.load(vocab_size).to(tl.int32)
    return tl.where((v < size)[None, :], z, NEVER)


@triton.jit
def own_tile(
    x, e, token, row, starts, vocab_sizes, N, V, D, first, blocks, tiles,
    x_k, x_n, e_k, e_v, token_k, starts_k,
    BN: tl.constexpr, BV: tl.constexpr, BD: tl.constexpr, group: tl.constexpr,
    acc_type: tl.constexpr,
):  # fmt: skip
    """Member and tile of this program, its rows i of the chunk, its columns, its masked logits."""
    k, block, tile = place(tl.program_id(0), blocks, tiles, group)
    i = block * BN + tl.arange(0, BN)
    v = tile * BV + tl.arange(0, BV)
    if starts is not None:
        row += k * token_k
        starts += k * starts_k
    if vocab_sizes is not None:
        vocab_sizes += k
    bucket = (first // BN + block) * tiles + tile
    z = masked_logits(
        x + k * x_k, e + k * e_k, token + k * token_k, row, starts, vocab_sizes,
        first + i, v, bucket, N, V, D, x_n, e_v, BD, acc_type,
    )  # fmt: skip
    return k, tile, i, v, z


@triton.jit(do_not_specialize=_SIZES)
def exponentials(
    x, e, centres, token, row, starts, vocab_sizes, p, peaks, sums,
    N, V, D, first, blocks, tiles,
    x_k, x_n, e_k, e_v, centres_k, token_k, starts_k, p_k, p_n, rows,
    BN: tl.constexpr, BV: tl.constexpr, BD: tl.constexpr, group: tl.constexpr,
    acc_type: tl.constexpr,
):  # fmt: skip
    """P [K, rows, V], and [K, tiles, rows]: what the tile is relative to, its sum per row."""
    k, tile, i, v, z = own_tile(
        x, e, token, row, starts, vocab_sizes, N, V, D, first, blocks, tiles,
        x_k, x_n, e_k, e_v, token_k, starts_k, BN, BV, BD, group, acc_type,
    )  # fmt: skip
    n = first + i
    inside = n < N
    best = tl.load(centres + k * centres_k + n, mask=inside, other=0)
    # A row without a target has no centre: its tiles take their own, nothing of P is used.
    centre = tl.where(best > NEVER / 2, best * LOG2_E, 0.0)
    lowest = tl.where(best > NEVER / 2, 0.0, NEVER)
    u = z * LOG2_E - centre[:, None]
    m = tl.maximum(64 * tl.ceil(tl.max(u, 1) / 64 - 1), lowest)
    e_v_ = tl.exp2(u - m[:, None])
    at = (k * tiles + tile) * rows + i
    tl.store(peaks + at, centre + m, mask=inside)
    tl.store(sums + at, tl.sum(e_v_, 1), mask=inside)
    at = k * p_k + i.to(tl.int64)[:, None] * p_n + v[None, :]
    tl.store(p + at, narrow(e_v_, p.dtype.element_ty), mask=inside[:, None] & (v < p_n)[None, :])


@triton.jit(do_not_specialize=_SIZES)
def counts(
    x, e, worsts, token, row, starts, vocab_sizes, peaks, sums, columns, above, equal,
    N, V, D, first, blocks, tiles,
    x_k, x_n, e_k, e_v, worsts_k, token_k, starts_k, rows,
    BN: tl.constexpr, BV: tl.constexpr, BD: tl.constexpr, group: tl.constexpr,
    acc_type: tl.constexpr,
):  # fmt: skip
    """[K, tiles, rows]: the best logit, its column, the sum of 2^u beside it, and how many columns
    are above the row's worst target and equal to it."""
    k, tile, i, _, z = own_tile(
        x, e, token, row, starts, vocab_sizes, N, V, D, first, blocks, tiles,
        x_k, x_n, e_k, e_v, token_k, starts_k, BN, BV, BD, group, acc_type,
    )  # fmt: skip
    n = first + i
    inside = n < N
    worst = tl.load(worsts + k * worsts_k + n, mask=inside, other=0)
    at = (k * tiles + tile) * rows + i
    tl.store(above + at, tl.sum((z <= worst[:, None]).to(tl.int32) ^ 1, 1), mask=inside)
    tl.store(equal + at, tl.sum((z == worst[:, None]).to(tl.int32), 1), mask=inside)
    best = tl.max(z, 1)
    tl.store(columns + at, tile * BV + tl.argmax(z, 1), mask=inside)
    tl.store(peaks + at, best, mask=inside)
    tl.store(sums + at, tl.sum(tl.exp2(z * LOG2_E - (best * LOG2_E)[:, None]), 1), mask=inside)
