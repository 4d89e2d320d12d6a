"""Backward kernel of the selective scan.

With f_t = dt_t u_t, E_t = exp(dt_t a), and G_t the gradient of h_t:
    h_t  = E_t h_{t-1} + b_t f_t       r_t  = sum_S c_t h_t + d u_t     y_t = r_t silu(z_t)
    dr_t = dy_t silu(z_t)              G_t  = c_t dr_t + E_{t+1} G_{t+1}
    dc_t = sum_C dr_t h_t              db_t = sum_C f_t G_t             df_t = sum_S b_t G_t
    P_t  = E_t G_t h_{t-1}             da   = sum_t dt_t P_t            dd   = sum_t dr_t u_t
    ddt_t = sum_S a P_t + u_t df_t     du_t = dt_t df_t + d dr_t
    dz_t = dy_t r_t silu'(z_t)         ddelta_t = ddt_t softplus'(delta_t + bias)
E_t G_t is what step t hands to the step before it, so P_t costs one product, and no difference
of nearly equal numbers. Saved are the inputs alone: decays and states of L steps are made again
and stay in registers; before that, a sequence of several such tiles is run once from its start
and leaves the state before each tile in `scratch`, which a program has for itself.

One warp runs one block of channels of one member through several sequences, then the next of its
`repeats` blocks. Sums over sequences (da, dd, dbias, and dstart where the start is shared) stay in
registers until a block is done and leave as one partial result per program; db and dc collect
their blocks in order in memory that the program has for itself. Nothing is added atomically.

A warp's lanes are CL channels by 32 / CL states, or steps; R channels lie in each lane. Sums over
S or C so take few shuffles, and what belongs to a step and channel is computed once.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator, assignment"
# ruff: noqa: ANN001, ANN201, ANN202, C901

import triton
import triton.language as tl

from geomem.kernels._activations import sigmoid, silu_slope
from geomem.kernels._tiles import narrow
from geomem.kernels.selective_scan.forward import INTEGERS
from geomem.kernels.selective_scan.pointwise import LOG2_E, load_tile, take, time_step


@triton.jit
def _row(x, step, i: tl.constexpr):
    """Row i of [R, steps, CL] as [R, 1, CL]."""
    return take(x, step, i, 1)[:, None, :]


@triton.jit
def _load(pointer, first, stride, step, channel, mask, real: tl.constexpr):
    """A tile [R, steps, CL] that begins with step `first`."""
    pointer += first.to(tl.int64) * stride
    return load_tile(pointer, step * stride + channel, mask, real)


@triton.jit
def _time_steps(pointer, first, stride, step, channel, mask, shift, softplus: tl.constexpr):
    """delta + bias and dt of a tile; dt is 0 where masked."""
    raw = _load(pointer, first, stride, step, channel, mask, shift.dtype) + shift
    return raw, tl.where(mask, time_step(raw, softplus), 0.0)


@triton.jit
def _vector(pointer, first, stride, i: tl.constexpr, state, mask, real: tl.constexpr):
    """Row i of b or c after step `first`, as [1, S, 1]."""
    pointer += (first + i).to(tl.int64) * stride
    return load_tile(pointer, state, mask, real)[None, :, None]


@triton.jit
def _column(tile, value, column, i: tl.constexpr):
    """Put sums of [R, S, CL] over channels into column i of a tile [S, CL]."""
    return tl.where(column == i, tl.sum(tl.sum(value, 0), 1)[:, None], tile)


@triton.jit
def _collect(pointer, tile, mask, more):
    """Add to what the program's earlier blocks left there."""
    tl.store(pointer, tile + tl.load(pointer, mask=mask & more, other=0.0), mask=mask)


@triton.jit(do_not_specialize=(*INTEGERS, "repeats", "tile_size", "dy_k", "dy_b", "dy_t"))
def backward_kernel(
    u, delta, z, b, c, a, d, bias, start, lengths, dy, dlast,
    du, ddelta, dz, db, dc, da, dd, dbias, dstart, scratch,
    B, T, C, chunk, chunks, per_program, slices, repeats, tile_size,
    u_k, u_b, u_t, delta_k, delta_b, delta_t, z_k, z_b, z_t,
    b_k, b_b, b_t, c_k, c_b, c_t, start_k, start_n, dy_k, dy_b, dy_t,
    S: tl.constexpr, BS: tl.constexpr, R: tl.constexpr, CL: tl.constexpr,
    L: tl.constexpr, BL: tl.constexpr, softplus: tl.constexpr, shared: tl.constexpr,
):  # fmt: skip
    real = a.dtype.element_ty
    program, groups = tl.program_id(0).to(tl.int64), tl.cdiv(C, R * CL * repeats)
    k, group = program // groups // slices, program % groups
    part = program // groups  # of the partial sums: member, then slice of the sequences
    first = (part % slices).to(tl.int32) * per_program
    beyond = tl.minimum(first + per_program, B * chunks)
    state, step = tl.arange(0, BS), tl.arange(0, BL)[None, :, None]
    column = tl.arange(0, CL)[None, :]
    K = tl.num_programs(0) // groups // slices
    tile = tl.arange(0, R)[:, None, None] * CL + tl.arange(0, CL)[None, None, :]
    in_scratch = state[None, :, None] * (R * CL) + tile
    for repeat in range(repeats):
        tl.debug_barrier()  # orders the collecting of db and dc
        channel = (group * repeats + repeat).to(tl.int32) * (R * CL) + tile
        real_channel = channel < C
        in_state = (state < S)[None, :, None] & real_channel
        at_state = state[None, :, None] * C + channel
        a_k = tl.load(a + k * S * C + at_state, mask=in_state, other=0.0)
        if d is not None:
            skip = tl.load(d + k * C + channel, mask=real_channel, other=0.0)
            sum_d = tl.zeros([R, BL, CL], real)
        shift = tl.zeros([R, 1, CL], real)
        if bias is not None:
            shift += tl.load(bias + k * C + channel, mask=real_channel, other=0.0)
            sum_bias = tl.zeros([R, BL, CL], real)
        sum_a = tl.zeros([R, BS, CL], real)
        if shared:
            sum_start = tl.zeros([R, BS, CL], real)
        for n in range(first, beyond):
            row, t0 = (n // chunks).to(tl.int64), n % chunks * chunk
            steps = tl.minimum(chunk, T - t0)
            length = steps
            if lengths is not None:
                length = tl.minimum(tl.load(lengths + k * B + row) - t0, steps).to(tl.int32)
            u_n, delta_n = u + k * u_k + row * u_b, delta + k * delta_k + row * delta_b
            b_n, c_n = b + k * b_k + row * b_b, c + k * c_k + row * c_b
            dy_n = dy + k * dy_k + row * dy_b
            if z is not None:
                z_n = z + k * z_k + row * z_b
            at_n = (k * B * chunks + n) * S * C + at_state
            before, onward = tl.zeros([R, BS, CL], real), tl.zeros([R, BS, CL], real)
            if start is not None:
                at_start = k * start_k + n * start_n.to(tl.int64)
                before = tl.load(start + at_start + at_state, mask=in_state, other=0.0)
            if dlast is not None:
                onward = tl.load(dlast + at_n, mask=in_state, other=0.0)
            tiles = tl.cdiv(steps, L)
            if scratch is not None:
                home = scratch + program * tl.cdiv(chunk, L) * tile_size + in_scratch
                for g in range(tiles - 1):
                    tl.store(home + g * tile_size, before)
                    s0, left = t0 + g * L, tl.minimum(length - g * L, L)
                    inside = real_channel & (step < left)
                    x = _load(u_n, s0, u_t, step, channel, inside, real)
                    _, dt = _time_steps(
                        delta_n, s0, delta_t, step, channel, inside, shift, softplus
                    )
                    f, dt_log2 = dt * x, dt * LOG2_E
                    for i in tl.static_range(L):
                        b_i = _vector(b_n, s0, b_t, i, state, (state < S) & (i < left), real)
                        before = tl.exp2(_row(dt_log2, step, i) * a_k) * before
                        before += b_i * _row(f, step, i)
                tl.store(home + (tiles - 1) * tile_size, before)
                tl.debug_barrier()
            for index in range(tiles):
                g = tiles - 1 - index
                s0, here = t0 + g * L, tl.minimum(steps - g * L, L)
                left = tl.minimum(length - g * L, L)
                if scratch is not None:
                    before = tl.load(home + g * tile_size)
                inside = real_channel & (step < left)
                x = _load(u_n, s0, u_t, step, channel, inside, real)
                raw, dt = _time_steps(delta_n, s0, delta_t, step, channel, inside, shift, softplus)
                f, dt_log2 = dt * x, dt * LOG2_E
                dr = _load(dy_n, s0, dy_t, step, channel, inside, real)
                if z is not None:
                    gate = _load(z_n, s0, z_t, step, channel, inside, real)
                    dgate = dr * silu_slope(gate)
                    dr *= gate * sigmoid(gate)
                h, states, decays = before, (before,), ()
                for i in tl.static_range(L):
                    b_i = _vector(b_n, s0, b_t, i, state, (state < S) & (i < left), real)
                    decay = tl.exp2(_row(dt_log2, step, i) * a_k)
                    h = decay * h + b_i * _row(f, step, i)
                    decays += (decay,)
                    states += (h,)
                r = tl.zeros([R, BL, CL], real)
                df = tl.zeros([R, BL, CL], real)
                ddt = tl.zeros([R, BL, CL], real)
                db_tile = tl.zeros([BS, CL], real)
                dc_tile = tl.zeros([BS, CL], real)
                for i in tl.static_range(L - 1, -1, -1):
                    b_i = _vector(b_n, s0, b_t, i, state, (state < S) & (i < left), real)
                    c_i = _vector(c_n, s0, c_t, i, state, (state < S) & (i < left), real)
                    dr_i = _row(dr, step, i)
                    g_i = onward + c_i * dr_i
                    db_tile = _column(db_tile, g_i * _row(f, step, i), column, i)
                    dc_tile = _column(dc_tile, states[i + 1] * dr_i, column, i)
                    onward = decays[i] * g_i
                    p = onward * states[i]
                    sum_a += p * _row(dt_log2, step, i)
                    df = tl.where(step == i, tl.sum(b_i * g_i, 1)[:, None, :], df)
                    ddt = tl.where(step == i, tl.sum(a_k * p, 1)[:, None, :], ddt)
                    if z is not None:
                        r = tl.where(step == i, tl.sum(c_i * states[i + 1], 1)[:, None, :], r)
                out_n = (k * B + row) * T + s0
                to = (group * K * B * T + out_n) * S + column * S + state[:, None]
                in_rows = (state < S)[:, None] & (column < here)
                _collect(db + to, db_tile, in_rows, repeat > 0)
                _collect(dc + to, dc_tile, in_rows, repeat > 0)
                dx = dt * df
                if d is not None:
                    dx += skip * dr
                    sum_d += dr * x
                ddt += x * df
                if softplus:
                    ddt *= sigmoid(raw)
                ddt = tl.where(inside, ddt, 0.0)
                if bias is not None:
                    sum_bias += ddt
                out, in_tile = step * C + channel, real_channel & (step < here)
                tl.store(du + out_n * C + out, narrow(dx, du.dtype.element_ty), mask=in_tile)
                tl.store(ddelta + out_n * C + out, narrow(ddt, du.dtype.element_ty), mask=in_tile)
                if z is not None:
                    if d is not None:
                        r += skip * x
                    dgate *= r
                    tl.store(dz + out_n * C + out, narrow(dgate, du.dtype.element_ty), mask=in_tile)
            if shared:
                sum_start += onward
            elif dstart is not None:
                tl.store(dstart + at_n, onward, mask=in_state)
        tl.store(da + part * S * C + at_state, sum_a / LOG2_E, mask=in_state)
        if shared:
            tl.store(dstart + part * S * C + at_state, sum_start, mask=in_state)
        if d is not None:
            tl.store(dd + part * C + channel, tl.sum(sum_d, 1)[:, None, :], mask=real_channel)
        if bias is not None:
            tl.store(dbias + part * C + channel, tl.sum(sum_bias, 1)[:, None, :], mask=real_channel)
