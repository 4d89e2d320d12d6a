"""Device functions on a tile of logits: rows n of one member against columns v.

Legend: N rows, V columns, D width, M entries of targets; u = z log2 e - c, a logit in powers of
two below a centre c of its row. Where no member k is asked for, pointers are the member's.

A row's targets are entries [start, end) of three lists (row, token, weight). Hard targets have no
row list: entry n belongs to row n, with weight 1, and token -1 says that there is none.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

import triton
import triton.language as tl

from geomem.kernels._tiles import dot, log1p, narrow

LOG2_E = tl.constexpr(1.4426950408889634)
LN_2 = tl.constexpr(0.6931471805599453)
NEVER = tl.constexpr(-1e30)  # a masked logit: finite, so that differences are numbers


@triton.jit
def logits(x, e, n, v, N, V, D, stride_n, stride_v, depth: tl.constexpr, acc_type: tl.constexpr):
    """x[n] @ e[v].T, zero outside of N and V."""
    z = tl.zeros((n.shape[0], v.shape[0]), acc_type)
    x += n.to(tl.int64)[:, None] * stride_n
    e += v.to(tl.int64)[None, :] * stride_v
    for d in range(0, D, depth):
        k = d + tl.arange(0, depth)
        a = tl.load(x + k[None, :], mask=(n < N)[:, None] & (k < D)[None, :], other=0)
        b = tl.load(e + k[:, None], mask=(k < D)[:, None] & (v < V)[None, :], other=0)
        z = dot(a, b, z)
    return z


@triton.jit
def first_entry(row, n, M, steps):
    """Index of the first of M ascending entries at or past row n; padding (-1) counts as past."""
    low = n * 0
    high = low + M
    for _ in range(steps):
        middle = (low + high) // 2
        at = tl.load(row + middle, mask=low < high, other=-1)
        before = (at >= 0) & (at < n)
        low = tl.where(before, middle + 1, low)
        high = tl.where(before, high, middle)
    return low


@triton.jit
def entry_range(row, token, n, N, M, steps):
    """First and past-the-last entry of each row."""
    if row is None:
        start = n
        end = n + (tl.load(token + n, mask=n < N, other=-1) >= 0).to(tl.int32)
    else:
        start = first_entry(row, n, M, steps)
        end = first_entry(row, n + 1, M, steps)
    return start, end


@triton.jit
def longest(row, start, end):
    """Number of entries of the row that has most."""
    if row is None:
        count: tl.constexpr = 1
    else:
        count = tl.max(end - start)
    return count


@triton.jit
def entry(token, weight, start, end, r, acc_type: tl.constexpr):
    """Token (-1: none) and weight (0: none) of the r-th entry of each row."""
    at = start + r
    t = tl.load(token + at, mask=at < end, other=-1).to(tl.int32)
    if weight is None:
        q = (at < end).to(acc_type)
    else:
        q = tl.load(weight + at, mask=at < end, other=0).to(acc_type)
    return t, q


@triton.jit
def pick(tile, hit):
    """The one element of each row that is hit."""
    return tl.sum(tl.where(hit, tile, 0.0), 1)


@triton.jit
def ranks(z, v, start, end, count, token, weight):
    """First argmax of each row; rank and ties of its worst target among the other columns.

    All columns are counted and the targets taken off again: integers do not round. What is not a
    number counts as above, so that a diverged row is never right.
    """
    worst = tl.full((z.shape[0],), float("inf"), z.dtype)
    for r in range(count):
        t, _ = entry(token, weight, start, end, r, z.dtype)
        zt = pick(z, v[None, :] == t[:, None])
        worst = tl.where(t >= 0, tl.minimum(worst, zt), worst)
    above = tl.sum((z <= worst[:, None]).to(tl.int32) ^ 1, 1)
    equal = tl.sum((z == worst[:, None]).to(tl.int32), 1)
    for r in range(count):
        t, _ = entry(token, weight, start, end, r, z.dtype)
        zt = pick(z, v[None, :] == t[:, None])
        above -= ((zt <= worst).to(tl.int32) ^ 1) * (t >= 0).to(tl.int32)
        equal -= ((zt == worst) & (t >= 0)).to(tl.int32)
    none = start >= end
    argmax = tl.argmax(z, 1)
    return argmax, tl.where(none, -1, above), tl.where(none, -1, equal)


@triton.jit
def target_loss(e_t, u_t, s_neg, s_pos):
    """-log(e_t / s) with e_t = 2^u_t and s = s_neg + s_pos, exact also where e_t / s -> 1."""
    rest = s_neg + (s_pos - e_t)
    near = e_t * 1e6 > rest  # where not, log s - log e_t has nothing to lose
    far = (tl.log2(s_neg + s_pos) - u_t) * LN_2
    return tl.where(near, log1p(rest / tl.where(near, e_t, 1 + rest)), far)


@triton.jit
def target_gradient(e_t, q, q_sum, s_neg, s_pos):
    """The entry of a target beside columns that hold 2^u, without cancellation for a single one.

    dloss/dz = (Q e_v - q_v s) / s with Q = sum q is Q / s times e_v off the targets and times
    e_t - (q / Q) s on one; for a single target q = Q and e_t = s_pos, which leaves -s_neg.
    """
    share = q / tl.where(q_sum == 0, 1.0, q_sum)
    return (e_t - share * s_pos) - share * s_neg


@triton.jit
def softmax_gradient(u, v, start, end, count, token, weight):
    """Turn a tile that holds whole rows, with u <= -1, into the gradient without its row factor.

    Returns (g, sum of the weights Q, s, loss of the row); dloss/dz = g Q / s. Target columns hold
    -u >= 1 while the others, 2^u <= 1/2, are summed; both up to a rounding, hence 3/4 between.
    """
    q_sum = tl.zeros((u.shape[0],), u.dtype)
    for r in range(count):
        t, q = entry(token, weight, start, end, r, u.dtype)
        u = tl.where(v[None, :] == t[:, None], -u, u)
        q_sum += q
    g = tl.where(u < 0, tl.exp2(u), u)
    s_neg = tl.sum(tl.where(g < 0.75, g, 0.0), 1)
    s_pos = tl.sum(tl.where(g < 0.75, 0.0, tl.exp2(-g)), 1)
    loss = tl.zeros((u.shape[0],), u.dtype)
    for r in range(count):
        t, q = entry(token, weight, start, end, r, u.dtype)
        hit = v[None, :] == t[:, None]
        u_t = -pick(g, hit)
        e_t = tl.exp2(u_t)
        term = q * target_loss(e_t, u_t, s_neg, s_pos)
        loss += tl.where(t >= 0, term, 0.0)
        g = tl.where(hit, target_gradient(e_t, q, q_sum, s_neg, s_pos)[:, None], g)
    return g, q_sum, s_neg + s_pos, loss


@triton.jit
def whole_rows(
    k, x, e, row, token, weight, row_weights, vocab_sizes, row_loss, lse, argmax, rank, ties,
    n, v, N, V, D, M, steps,
    x_k, x_n, e_k, e_v, row_k, token_k, weight_k, row_weights_k, row_weights_n, metrics,
    depth: tl.constexpr, acc_type: tl.constexpr,
):  # fmt: skip
    """Logits of whole rows of member k and all that follows from them, stored but for gradients.

    Takes pointers to the first member. Returns (g, the row's factor Q w / s, Q w, weighted loss of
    the row): dloss/dz = g times factor.
    """
    token += k * token_k
    if row is not None:
        row += k * row_k
        weight += k * weight_k
    inside = n < N
    start, end = entry_range(row, token, n, N, M, steps)
    count = longest(row, start, end)
    size = V
    if vocab_sizes is not None:
        size = tl.load(vocab_sizes + k).to(tl.int32)
    z = logits(x + k * x_k, e + k * e_k, n, v, N, V, D, x_n, e_v, depth, acc_type)
    z = tl.where((v < size)[None, :], z, NEVER)

    out = k * N + n
    best, above, equal = n * 0 - 1, n * 0 - 1, n * 0 - 1
    if metrics:
        best, above, equal = ranks(z, v, start, end, count, token, weight)
    tl.store(argmax + out, best.to(tl.int64), mask=inside)
    tl.store(rank + out, above.to(tl.int64), mask=inside)
    tl.store(ties + out, equal.to(tl.int64), mask=inside)

    centre = tl.max(z, 1) * LOG2_E + 1
    u = z * LOG2_E - centre[:, None]
    g, q_sum, s, loss = softmax_gradient(u, v, start, end, count, token, weight)
    if row_weights is not None:
        at = row_weights + k * row_weights_k + n.to(tl.int64) * row_weights_n
        w = tl.load(at, mask=inside, other=0).to(acc_type)
        q_sum *= w
        loss *= w
    tl.store(lse + out, (centre + tl.log2(s)) * LN_2, mask=inside)
    tl.store(row_loss + out, loss, mask=inside)
    return g, q_sum / s, q_sum, loss


@triton.jit
def store_product(
    p, a, out, i, j, i_end, j_end, D, stride_j, depth: tl.constexpr, acc_type: tl.constexpr
):
    """out[i] = p[i, j] @ a[j] up to their ends, rounded to the type of out; its rows are D."""
    for d in range(0, D, depth):
        c = d + tl.arange(0, depth)
        b = tl.load(
            a + j[:, None] * stride_j + c[None, :],
            mask=(j < j_end)[:, None] & (c < D)[None, :],
            other=0,
        )
        part = dot(p, b, tl.zeros((i.shape[0], depth), acc_type))
        at = out + i[:, None] * D + c[None, :]
        mask = (i < i_end)[:, None] & (c < D)[None, :]
        tl.store(at, narrow(part, out.dtype.element_ty), mask=mask)
