"""Forward kernel of the selective scan.

    dt = softplus(delta + bias)      h_t = exp(dt_t a) h_{t-1} + b_t (dt_t u_t)
    r_t = sum_S c_t h_t + d u_t      y_t = r_t silu(z_t)

One program runs a block of channels of one member through several sequences, one after the other.
Each thread holds all states of its channel, so that the sum over S never leaves it (up to 32
states). Steps are read in tiles of L, and past a sequence's length dt is 0: the decay is 1, nothing
is added.
A long sequence arrives as chunks, each a row with a start of its own.

K members · B sequences · T positions · C channels · S states; a and states are [..., S, C] here
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201, C901

import triton
import triton.language as tl

from geomem.kernels._activations import sigmoid
from geomem.kernels._tiles import narrow
from geomem.kernels.selective_scan.pointwise import LOG2_E, load_tile, take, time_step

# Alignment that Triton would find in these would make it spread a channel's states over threads.
INTEGERS = (
    *("B", "T", "C", "chunk", "chunks", "per_program", "slices"),
    *("u_k", "u_b", "u_t", "delta_k", "delta_b", "delta_t", "z_k", "z_b", "z_t"),
    *("b_k", "b_b", "b_t", "c_k", "c_b", "c_t", "start_k", "start_n"),
)


@triton.jit(do_not_specialize=INTEGERS)
def forward_kernel(
    u, delta, z, b, c, a, d, bias, start, lengths, y, last,
    B, T, C, chunk, chunks, per_program, slices,
    u_k, u_b, u_t, delta_k, delta_b, delta_t, z_k, z_b, z_t,
    b_k, b_b, b_t, c_k, c_b, c_t, start_k, start_n,
    S: tl.constexpr, BS: tl.constexpr, BC: tl.constexpr, L: tl.constexpr, BL: tl.constexpr,
    align: tl.constexpr, softplus: tl.constexpr,
):  # fmt: skip
    real = a.dtype.element_ty
    program, blocks = tl.program_id(0), tl.cdiv(C, BC)
    k = (program // blocks // slices).to(tl.int64)
    first = program // blocks % slices * per_program
    channel = program % blocks * BC + tl.arange(0, BC)
    state, step, real_channel = tl.arange(0, BS), tl.arange(0, BL)[:, None], channel < C
    at_state, in_state = state[:, None] * C + channel, (state < S)[:, None] & real_channel
    a_log2 = tl.load(a + k * S * C + at_state, mask=in_state, other=0.0) * LOG2_E
    if d is not None:
        skip = tl.load(d + k * C + channel, mask=real_channel, other=0.0)
    shift = tl.zeros([BC], real)
    if bias is not None:
        shift += tl.load(bias + k * C + channel, mask=real_channel, other=0.0)
    for n in range(first, tl.minimum(first + per_program, B * chunks)):
        row, t0 = (n // chunks).to(tl.int64), n % chunks * chunk
        steps = tl.minimum(chunk, T - t0)
        length = steps
        if lengths is not None:
            length = tl.minimum(tl.load(lengths + k * B + row) - t0, steps).to(tl.int32)
        h = tl.zeros([BS, BC], real)
        if start is not None:
            at_n = k * start_k + n * start_n.to(tl.int64)
            h = tl.load(start + at_n + at_state, mask=in_state, other=0.0)
        u_n, delta_n = u + k * u_k + row * u_b, delta + k * delta_k + row * delta_b
        b_n, c_n = b + k * b_k + row * b_b, c + k * c_k + row * c_b
        if z is not None:
            z_n = z + k * z_k + row * z_b
        for g in range(0, steps, L):
            s0, left = (t0 + g).to(tl.int64), tl.minimum(length - g, L)
            inside = (step < left) & real_channel
            x = load_tile(u_n + s0 * u_t, step * u_t + channel, inside, real)
            raw = load_tile(delta_n + s0 * delta_t, step * delta_t + channel, inside, real)
            dt = tl.where(inside, time_step(raw + shift, softplus), 0.0)
            f = dt * x
            r = tl.zeros([BL, BC], real)
            for i in tl.static_range(L):
                in_step = (state < S) & (i < left)
                b_row = tl.multiple_of(b_n + (s0 + i) * b_t + state, align)
                c_row = tl.multiple_of(c_n + (s0 + i) * c_t + state, align)
                b_i = tl.load(b_row, mask=in_step, other=0.0).to(real)[:, None]
                c_i = tl.load(c_row, mask=in_step, other=0.0).to(real)[:, None]
                decay = tl.exp2(take(dt, step, i, 0) * a_log2)
                h = decay * h + b_i * take(f, step, i, 0)
                r = tl.where(step == i, tl.sum(c_i * h, 0), r)
            if d is not None:
                r += skip * x
            if z is not None:
                gate = load_tile(z_n + s0 * z_t, step * z_t + channel, inside, real)
                r *= gate * sigmoid(gate)
            out = y + ((k * B + row) * T + s0) * C + (step * C + channel)
            in_tile = (step < tl.minimum(steps - g, L)) & real_channel
            tl.store(out, narrow(r, y.dtype.element_ty), mask=in_tile)
        if last is not None:
            tl.store(last + (k * B * chunks + n) * S * C + at_state, h, mask=in_state)
