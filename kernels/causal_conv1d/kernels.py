"""Forward and backward kernel of the causal convolution.

With w_j the tap that looks j steps back, and x_{t-j} read from `initial` where t < j:
    p_t  = bias + sum_j w_j x_{t-j}      y_t  = silu(p_t)               g_t   = dy_t silu'(p_t)
    dx_t = sum_j w_j g_{t+j}             dw_j = sum_t g_t x_{t-j}       dbias = sum_t g_t
    dinitial is dx at the steps before the first
One program runs a block of channels of one member through several tiles of L steps, each with the
steps around it that it needs; a tile of a longer sequence makes the g of the W-1 steps after it
again. Only x and dy are read. Sums over steps leave as one partial result per program.

weight is [K,W,C] here, the oldest tap first.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator, assignment"
# ruff: noqa: ANN001, ANN201, ANN202, C901

import triton
import triton.language as tl

from geomem.kernels._activations import sigmoid, silu_slope
from geomem.kernels._tiles import narrow


@triton.jit
def _steps(
    x, initial, x_t, C, t0, T, channel, ok,
    FROM: tl.constexpr, TO: tl.constexpr, W: tl.constexpr, real: tl.constexpr,
):  # fmt: skip
    """x of steps t0 + FROM ... t0 + TO - 1; before the sequence, `initial`; past it, 0."""
    found = ()
    for i in tl.static_range(FROM, TO):
        t = t0 + i
        step = tl.load(x + t.to(tl.int64) * x_t + channel, mask=ok & (t >= 0) & (t < T), other=0.0)
        if initial is not None and i < 0:
            at = initial + (t + W - 1) * C + channel
            step += tl.load(at, mask=ok & (t < 0), other=0.0)
        found += (step.to(real),)
    return found


@triton.jit
def _pre_activation(shift, taps, steps, at: tl.constexpr, W: tl.constexpr):
    """p of a step whose x is steps[at]."""
    p = shift
    for j in tl.static_range(W):
        p += taps[W - 1 - j] * steps[at - j]
    return p


@triton.jit
def _reach(
    taps, g, i: tl.constexpr, N: tl.constexpr, W: tl.constexpr, BC: tl.constexpr,
    real: tl.constexpr,
):  # fmt: skip
    """What the g of N steps gives to x of step i, which may lie before the first."""
    dx = tl.zeros([BC], real)
    for j in tl.static_range(W):
        if i + j >= 0 and i + j < N:
            dx += taps[W - 1 - j] * g[i + j]
    return dx


# One compiled program serves all numbers of sequences and steps.
_jit = triton.jit(do_not_specialize=["B", "T", "tiles", "slices", "per_program"])


@_jit
def forward_kernel(
    x, weight, bias, initial, y,
    B, T, C, tiles, slices, per_program, x_k, x_b, x_t, initial_k, initial_b,
    W: tl.constexpr, L: tl.constexpr, BC: tl.constexpr, silu: tl.constexpr,
):  # fmt: skip
    real = weight.dtype.element_ty
    program, blocks = tl.program_id(0), tl.cdiv(C, BC)
    k = (program // blocks // slices).to(tl.int64)
    first = program // blocks % slices * per_program
    channel = program % blocks * BC + tl.arange(0, BC)
    ok = channel < C
    shift = tl.zeros([BC], real)
    if bias is not None:
        shift += tl.load(bias + k * C + channel, mask=ok, other=0.0)
    taps = ()
    for j in tl.static_range(W):
        taps += (tl.load(weight + (k * W + j) * C + channel, mask=ok, other=0.0),)
    for n in range(first, tl.minimum(first + per_program, B * tiles)):
        row, t0 = (n // tiles).to(tl.int64), n % tiles * L
        before = initial
        if initial is not None:
            before = initial + k * initial_k + row * initial_b
        steps = _steps(
            x + k * x_k + row * x_b, before, x_t, C, t0, T, channel, ok, 1 - W, L, W, real
        )
        out = y + ((k * B + row) * T + t0) * C + channel
        for i in tl.static_range(L):
            p = _pre_activation(shift, taps, steps, i + W - 1, W)
            if silu:
                p *= sigmoid(p)
            tl.store(out + i * C, narrow(p, y.dtype.element_ty), mask=ok & (t0 + i < T))


@_jit
def backward_kernel(
    x, weight, bias, initial, dy, dx, dweight, dbias, dinitial,
    B, T, C, tiles, slices, per_program,
    x_k, x_b, x_t, initial_k, initial_b, dy_k, dy_b, dy_t,
    W: tl.constexpr, L: tl.constexpr, BC: tl.constexpr, silu: tl.constexpr,
    shared: tl.constexpr, whole: tl.constexpr,
):  # fmt: skip
    real = weight.dtype.element_ty
    AFTER: tl.constexpr = 0 if whole else W - 1  # steps after the tile whose g reaches into it
    program, blocks = tl.program_id(0), tl.cdiv(C, BC)
    part = (program // blocks).to(tl.int64)  # of the partial sums: member, then slice
    k, first = part // slices, program // blocks % slices * per_program
    channel = program % blocks * BC + tl.arange(0, BC)
    ok, tap = channel < C, tl.arange(0, 4)[:, None]
    shift = tl.zeros([BC], real)
    if bias is not None:
        shift += tl.load(bias + k * C + channel, mask=ok, other=0.0)
    taps = ()
    for j in tl.static_range(W):
        taps += (tl.load(weight + (k * W + j) * C + channel, mask=ok, other=0.0),)
    sum_w, sum_initial = tl.zeros([4, BC], real), tl.zeros([4, BC], real)
    sum_bias = tl.zeros([BC], real)
    for n in range(first, tl.minimum(first + per_program, B * tiles)):
        row, t0 = (n // tiles).to(tl.int64), n % tiles * L
        before = initial
        if initial is not None:
            before = initial + k * initial_k + row * initial_b
        steps = _steps(
            x + k * x_k + row * x_b, before, x_t, C, t0, T, channel, ok, 1 - W, L + AFTER, W, real
        )
        given = _steps(
            dy + k * dy_k + row * dy_b, None, dy_t, C, t0, T, channel, ok, 0, L + AFTER, W, real
        )
        g = ()
        for i in tl.static_range(L + AFTER):
            g_i = given[i]
            if silu:
                g_i *= silu_slope(_pre_activation(shift, taps, steps, i + W - 1, W))
            g += (g_i,)
        out = dx + ((k * B + row) * T + t0) * C + channel
        for i in tl.static_range(L):
            dx_i = _reach(taps, g, i, L + AFTER, W, BC, real)
            tl.store(out + i * C, narrow(dx_i, dx.dtype.element_ty), mask=ok & (t0 + i < T))
            sum_bias += g[i]
            for j in tl.static_range(W):
                sum_w = tl.where(tap == j, sum_w + g[i] * steps[i + j], sum_w)
        if dinitial is not None:
            for i in tl.static_range(W - 1):
                d_i = _reach(taps, g, i + 1 - W, L + AFTER, W, BC, real)
                d_i = tl.where(t0 == 0, d_i, 0.0)
                if shared:
                    sum_initial = tl.where(tap == i, sum_initial + d_i, sum_initial)
                else:
                    at = dinitial + ((k * B + row) * (W - 1) + i) * C + channel
                    tl.store(at, narrow(d_i, dinitial.dtype.element_ty), mask=ok & (t0 == 0))
    at_w = dweight + (part * W + tap) * C + channel
    tl.store(at_w, sum_w, mask=ok & (tap < W))
    if bias is not None:
        tl.store(dbias + part * C + channel, sum_bias, mask=ok)
    if shared:
        at_i = dinitial + (part * (W - 1) + tap) * C + channel
        tl.store(at_i, sum_initial, mask=ok & (tap < W - 1))
