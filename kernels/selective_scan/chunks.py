"""Long sequences as chunks that run side by side.

A chunk turns the state h before it into D h + e: D is the exponential of a times the sum of its
dt, e its last state from a start of zero. `summary_kernel` makes e and the sum of dt of every
chunk; `combine_kernel` goes from chunk to chunk and puts in place of each e the state before it.
From then on the chunks are rows of their own for the forward kernel. Backward is the same against
time: a chunk turns the gradient G of the state after it into D G + e for the state before it.

    forward   v <- E_t v + b_t f_t            backward   v <- E_t (v + c_t dr_t)

K members · T positions · C channels · S states; N chunks of all sequences; states are [..., S, C]
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

import triton
import triton.language as tl

from geomem.kernels._activations import sigmoid
from geomem.kernels.selective_scan.pointwise import LOG2_E, load_tile, take, time_step

SUMMARY_INTEGERS = (
    *("B", "T", "C", "chunk", "chunks", "amount_k", "amount_b", "amount_t"),
    *("delta_k", "delta_b", "delta_t", "z_k", "z_b", "z_t", "vector_k", "vector_b", "vector_t"),
)


@triton.jit(do_not_specialize=SUMMARY_INTEGERS)
def summary_kernel(
    amount, delta, z, vector, a, bias, lengths, value, total,
    B, T, C, chunk, chunks,
    amount_k, amount_b, amount_t, delta_k, delta_b, delta_t, z_k, z_b, z_t,
    vector_k, vector_b, vector_t,
    S: tl.constexpr, BS: tl.constexpr, BC: tl.constexpr, BL: tl.constexpr,
    softplus: tl.constexpr, reverse: tl.constexpr,
):  # fmt: skip
    """e in `value` and the sum of dt in `total`; amount and vector are u and b, or dy and c.

    A program has BS states of a block of channels.
    """
    FROM: tl.constexpr = BL - 1 if reverse else 0
    TO: tl.constexpr = -1 if reverse else BL
    STRIDE: tl.constexpr = -1 if reverse else 1
    real = a.dtype.element_ty
    program, blocks = tl.program_id(0).to(tl.int64), tl.cdiv(C, BC)
    parts: tl.constexpr = (S + BS - 1) // BS
    k, n = program // (blocks * parts * B * chunks), program // (blocks * parts) % (B * chunks)
    row, t0 = n // chunks, (n % chunks).to(tl.int32) * chunk
    channel = (program % blocks).to(tl.int32) * BC + tl.arange(0, BC)
    state = (program // blocks % parts).to(tl.int32) * BS + tl.arange(0, BS)
    step, real_channel = tl.arange(0, BL)[:, None], channel < C
    at_state, in_state = state[:, None] * C + channel, (state < S)[:, None] & real_channel
    a_log2 = tl.load(a + k * S * C + at_state, mask=in_state, other=0.0) * LOG2_E
    steps = tl.minimum(chunk, T - t0)
    if lengths is not None:
        steps = tl.minimum(tl.load(lengths + k * B + row) - t0, steps).to(tl.int32)
    shift = tl.zeros([BC], real)
    if bias is not None:
        shift += tl.load(bias + k * C + channel, mask=real_channel, other=0.0)
    amount += k * amount_k + row * amount_b
    delta += k * delta_k + row * delta_b
    vector += k * vector_k + row * vector_b
    if z is not None:
        z_n = z + k * z_k + row * z_b
    v, time_sum = tl.zeros([BS, BC], real), tl.zeros([BL, BC], real)
    tiles = tl.cdiv(tl.maximum(steps, 0), BL)
    for index in range(tiles):
        g = tiles - 1 - index if reverse else index
        s0, inside = (t0 + g * BL).to(tl.int64), (step < steps - g * BL) & real_channel
        x = load_tile(amount + s0 * amount_t, step * amount_t + channel, inside, real)
        raw = load_tile(delta + s0 * delta_t, step * delta_t + channel, inside, real)
        dt = tl.where(inside, time_step(raw + shift, softplus), 0.0)
        time_sum += dt
        if not reverse:
            x *= dt
        elif z is not None:
            gate = load_tile(z_n + s0 * z_t, step * z_t + channel, inside, real)
            x *= gate * sigmoid(gate)
        for i in tl.static_range(FROM, TO, STRIDE):
            in_step = (state < S) & (g * BL + i < steps)
            w = load_tile(vector + (s0 + i) * vector_t, state, in_step, real)
            decay = tl.exp2(take(dt, step, i, 0) * a_log2)
            own = w[:, None] * take(x, step, i, 0)
            v = decay * (v + own) if reverse else decay * v + own
    tl.store(value + (k * B * chunks + n) * S * C + at_state, v, mask=in_state)
    tl.store(total + (k * B * chunks + n) * C + channel, tl.sum(time_sum, 0), mask=real_channel)


@triton.jit(do_not_specialize=("B", "C", "chunks", "start_k", "start_b"))
def combine_kernel(
    value, total, a, start, end, B, C, chunks, start_k, start_b,
    S: tl.constexpr, BE: tl.constexpr, reverse: tl.constexpr,
):  # fmt: skip
    """Put what comes into each chunk in place of its e; `end` is what comes out of the last.

    A program has BE of a sequence's S C states, which do not meet each other here.
    """
    real = a.dtype.element_ty
    program, blocks = tl.program_id(0).to(tl.int64), tl.cdiv(S * C, BE)
    k, row = program // blocks // B, program // blocks % B
    element = (program % blocks).to(tl.int32) * BE + tl.arange(0, BE)
    channel, inside = element % C, element < S * C
    a_log2 = tl.load(a + k * S * C + element, mask=inside, other=0.0) * LOG2_E
    v = tl.zeros([BE], real)
    if start is not None:
        v = tl.load(start + k * start_k + row * start_b + element, mask=inside, other=0.0)
    for index in range(chunks):
        n = (k * B + row) * chunks + (chunks - 1 - index if reverse else index)
        dt = tl.load(total + n * C + channel, mask=inside, other=0.0)
        e = tl.load(value + n * S * C + element, mask=inside, other=0.0)
        tl.store(value + n * S * C + element, v, mask=inside)
        v = tl.exp2(dt * a_log2) * v + e
    if end is not None:
        tl.store(end + (k * B + row) * S * C + element, v, mask=inside)
