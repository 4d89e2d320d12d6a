"""Device functions on a tile of rows: the positions of a prefix, then some whole sequences.

Rows j of a tile are queries and keys alike. The first P are the prefix, which is seen by all; then
come `per` sequences of T rows each; what is left over belongs to nobody. A row sees the prefix and
the rows of its own sequence, both up to itself. Of the prefix's own queries only the first tile
takes account, if they are given.

Legend: B sequences, T positions, P of the prefix, DH width of a head, BM rows and BD columns
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201, ANN202

import triton
import triton.language as tl

from geomem.kernels._tiles import dot, narrow, widen

LOG2_E = tl.constexpr(1.4426950408889634)
SIZES = ["B", "T", "P", "H", "per", "tiles"]  # one compiled program serves them all
NEVER = tl.constexpr(-1e30)  # a masked score: finite, so that differences are numbers


@triton.jit
def places(tile, per, B, T, P, BM: tl.constexpr):
    """Of each row its place i after the prefix, its sequence in the tile and in all, its step.

    The last is whether it has them.
    """
    i = tl.arange(0, BM) - P
    s = i // T
    b = tile * per + s
    own = (i >= 0) & (i < per * T) & (b < B)
    return i, s, b.to(tl.int64), (i % T).to(tl.int64), own


@triton.jit
def load_rows(x, offsets, own, DH: tl.constexpr, BD: tl.constexpr):
    """Rows [BM, BD] of x, zero where a row is not its own and past the width of a head."""
    d = tl.arange(0, BD)[None, :]
    return tl.load(x + offsets[:, None] + d, mask=own[:, None] & (d < DH), other=0.0)


@triton.jit
def store_rows(out, offsets, own, rows, DH: tl.constexpr):
    """The reverse, rounded to the type of `out`."""
    d = tl.arange(0, rows.shape[1])[None, :]
    rows = narrow(rows, out.dtype.element_ty)
    tl.store(out + offsets[:, None] + d, rows, mask=own[:, None] & (d < DH))


@triton.jit
def load_after(x, offsets, own, prefix, before_at, before, DH: tl.constexpr, BD: tl.constexpr):
    """Rows of x, those of the prefix, if there is one, before them."""
    rows = load_rows(x, offsets, own, DH, BD)
    if prefix is not None:
        rows = tl.where(before[:, None], load_rows(prefix, before_at, before, DH, BD), rows)
    return rows


@triton.jit
def _plus(rows, bias, DH: tl.constexpr, acc_type: tl.constexpr):
    """Add a bias [DH] to every row, those of nobody included: they are seen by none."""
    d = tl.arange(0, rows.shape[1])
    added = tl.load(bias + d, mask=d < DH, other=0.0).to(acc_type)
    return narrow(widen(rows, acc_type) + added[None, :], rows.dtype)


@triton.jit
def load_inputs(
    q, k, v, prefix_q, prefix_k, prefix_v, bias, member, head, H, P, i, b, t, own, asking,
    q_k, q_b, q_t, q_h, k_k, k_b, k_t, k_h, v_k, v_b, v_t, v_h,
    prefix_q_k, prefix_q_p, prefix_q_h, prefix_k_k, prefix_k_p, prefix_k_h,
    prefix_v_k, prefix_v_p, prefix_v_h,
    DH: tl.constexpr, BD: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    """Queries, keys and values [BM, BD] of a tile; asking: rows of the prefix with a query."""
    place = (i + P).to(tl.int64)
    at = member * q_k + b * q_b + t * q_t + head * q_h
    before = member * prefix_q_k + head * prefix_q_h + place * prefix_q_p
    queries = load_after(q, at, own, prefix_q, before, asking, DH, BD)
    at = member * k_k + b * k_b + t * k_t + head * k_h
    before = member * prefix_k_k + head * prefix_k_h + place * prefix_k_p
    keys = load_after(k, at, own, prefix_k, before, i < 0, DH, BD)
    at = member * v_k + b * v_b + t * v_t + head * v_h
    before = member * prefix_v_k + head * prefix_v_h + place * prefix_v_p
    values = load_after(v, at, own, prefix_v, before, i < 0, DH, BD)
    if bias is not None:
        bias += (member * 3 * H + head) * DH
        queries = _plus(queries, bias, DH, acc_type)
        keys = _plus(keys, bias + H * DH, DH, acc_type)
        values = _plus(values, bias + 2 * H * DH, DH, acc_type)
    return queries, keys, values


@triton.jit
def softmax(q, k, i, s, DH: tl.constexpr, acc_type: tl.constexpr):
    """Unnormalised probabilities [BM, BM] of queries by keys, and the sum of each row."""
    BM: tl.constexpr = q.shape[0]
    z = dot(q, tl.trans(k), tl.zeros([BM, BM], acc_type)) * (LOG2_E * DH**-0.5)
    seen = ((i < 0)[None, :] | (s[None, :] == s[:, None])) & (i[None, :] <= i[:, None])
    z = tl.where(seen, z, NEVER)
    p = tl.exp2(z - tl.max(z, 1)[:, None])
    return p, tl.sum(p, 1)
