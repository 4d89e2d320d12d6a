"""Device functions on a tile of rows: the positions of a prefix, then some whole sequences.

Rows j of a tile are queries and keys alike. The first P are the prefix, which asks nothing and is
seen by all; then come `per` sequences of T rows each; what is left over belongs to nobody.
A row of a sequence sees the prefix and the rows of its own sequence up to itself.

Legend: B sequences, T positions, P of the prefix, DH width of a head, BM rows and BD columns
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

import triton
import triton.language as tl

from geomem.kernels._tiles import dot, narrow

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
def load_keys(x, offsets, own, prefix, prefix_p, i, P, DH: tl.constexpr, BD: tl.constexpr):
    """Rows of keys or of values, those of the prefix before them."""
    rows = load_rows(x, offsets, own, DH, BD)
    if prefix is not None:
        before = load_rows(prefix, (i + P).to(tl.int64) * prefix_p, i < 0, DH, BD)
        rows = tl.where((i < 0)[:, None], before, rows)
    return rows


@triton.jit
def softmax(q, k, i, s, DH: tl.constexpr, acc_type: tl.constexpr):
    """Unnormalised probabilities [BM, BM] of queries by keys, and the sum of each row."""
    BM: tl.constexpr = q.shape[0]
    z = dot(q, tl.trans(k), tl.zeros([BM, BM], acc_type)) * (LOG2_E * DH**-0.5)
    same = (s[None, :] == s[:, None]) & (i[None, :] <= i[:, None])
    z = tl.where((i < 0)[None, :] | same, z, NEVER)
    p = tl.exp2(z - tl.max(z, 1)[:, None])
    return p, tl.sum(p, 1)
