"""Public entry of the selective scan: validation and dispatch.

K members · B sequences · T positions · C channels · S states per channel
"""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from geomem.kernels._refusal import refuse
from geomem.kernels.choice import INTERPRETED, choose, runs_triton
from geomem.kernels.selective_scan import configs
from geomem.kernels.selective_scan.problem import Inputs, Options


class ScanResult(NamedTuple):
    """y [K,B,T,C] of u's dtype; last_state [K,B,C,S] float32, float64 for float64 inputs.

    last_state is [K,0,C,S], that of no sequence, where it was not asked for.
    """

    y: Tensor
    last_state: Tensor


_refuse = partial(refuse, "selective_scan")


def _check_shapes(x: Inputs, lengths: Tensor | None) -> None:
    if x.u.dim() != 4 or 0 in x.u.shape:
        _refuse("u", "[K,B,T,C] and not empty", tuple(x.u.shape))
    K, B, T, C = x.u.shape
    if x.a.dim() != 3 or x.a.shape[:2] != (K, C) or x.a.shape[2] == 0:
        _refuse("a", f"{(K, C, 'S')}", tuple(x.a.shape))
    S, state = x.a.shape[2], x.initial_state
    states = B if state is None or state.shape[:2] != (K, 1) else 1
    expected = {
        **dict.fromkeys(("u", "delta", "z"), (K, B, T, C)),
        **dict.fromkeys(("b", "c"), (K, B, T, S)),
        **dict.fromkeys(("d", "delta_bias"), (K, C)),
        "a": (K, C, S),
        "initial_state": (K, states, C, S),
    }
    for name, tensor in x._asdict().items():
        if tensor is not None and tensor.shape != expected[name]:
            _refuse(name, expected[name], tuple(tensor.shape))
    if lengths is not None and (lengths.shape != (K, B) or lengths.dtype != torch.int64):
        _refuse("lengths", f"int64 {(K, B)}", f"{lengths.dtype} {tuple(lengths.shape)}")


def _check_types(x: Inputs, lengths: Tensor | None) -> None:
    if x.u.dtype not in (torch.float32, torch.bfloat16, torch.float64):
        _refuse("u", "float32, bfloat16 or float64", x.u.dtype)
    parameters = torch.float64 if x.u.dtype == torch.float64 else torch.float32
    for name, tensor in {**x._asdict(), "lengths": lengths}.items():
        if tensor is None:
            continue
        expected = x.u.dtype if name in ("u", "delta", "b", "c", "z") else parameters
        if name != "lengths" and tensor.dtype != expected:
            _refuse(name, expected, tensor.dtype)
        if tensor.device != x.u.device:
            _refuse(name, f"on {x.u.device}", f"a tensor on {tensor.device}")


def implementations(device_type: str, dtype: torch.dtype) -> dict[str, str]:
    """Names of the implementations that can run for tensors of a device and a dtype."""
    found = {"reference": "reference", "eager": "eager"}
    kernels = (torch.bfloat16, torch.float32) + ((torch.float64,) if INTERPRETED else ())
    if runs_triton(device_type) and dtype in kernels:
        found["triton"] = "triton"
    return found


def selective_scan(
    u: Tensor,
    delta: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    *,
    d: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    initial_state: Tensor | None = None,
    lengths: Tensor | None = None,
    delta_softplus: bool = True,
    last_state: bool = True,
    impl: str = "auto",
) -> ScanResult:
    """Run the recurrence of Mamba over each sequence, channel and state, with skip and gate.

    Equals, with dt = softplus(delta + delta_bias) and h = initial_state before the first step,
        h_t = exp(dt_t a) h_{t-1} + dt_t u_t b_t
        y_t = (sum over S of c_t h_t  +  d u_t) silu(z_t)
    where a, d and delta_bias belong to a channel, b and c to a step, and all arithmetic is in
    float32 (float64 for float64 inputs). Leaving out d, z, delta_bias or initial_state leaves out
    its term; delta_softplus=False takes dt = delta + delta_bias.

    u, delta, z: [K, B, T, C]; b, c: [K, B, T, S], one dtype: float32, bfloat16 or float64.
    a: [K, C, S], negative; d, delta_bias: [K, C]; initial_state: [K, B, C, S], or [K, 1, C, S] for
    one that all sequences of a member share (its gradient is the sum over them): float32.
    lengths: int64 [K, B]; steps at or past a sequence's length change nothing: the state is
    carried through them, their y and every gradient that they would give are 0.
    last_state: whether to return it; for short sequences it is larger than all the rest.
    Gradients go through both results to every tensor but lengths.
    impl: "reference"; "eager", the same made fast for a CPU; "triton" (CUDA tensors, or any under
    Triton's interpreter; more than 64 states in parts of 64); or "auto": Triton on a GPU where it
    can run, else eager.
    Raises ValueError for shapes, dtypes and devices that do not fit and for an impossible impl.
    Source: Gu, Dao, "Mamba: linear-time sequence modeling with selective state spaces" (2023).
    """
    from geomem.kernels.selective_scan import many_states, op, reference

    x = Inputs(u, delta, a, b, c, d, z, delta_bias, initial_state)
    _check_shapes(x, lengths)
    _check_types(x, lengths)
    known = implementations(u.device.type, u.dtype)
    auto = "triton" if u.is_cuda and "triton" in known else "eager"
    name, _ = choose("selective_scan", known, impl, auto=auto)
    options = Options(lengths, delta_softplus, last_state)
    if name == "reference":
        return reference.selective_scan(x, options)
    if name == "triton" and a.shape[2] > configs.MOST_STATES:
        return ScanResult(*many_states.in_parts(x, lambda part: op.call(part, options, name)[:2]))
    return ScanResult(*op.call(x, options, name)[:2])
