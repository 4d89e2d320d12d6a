"""Public entry of the selective scan: validation and dispatch.

K members · B sequences · T positions · C channels · S states per channel
"""

from typing import NamedTuple, NoReturn

import torch
from torch import Tensor

from geomem.kernels.choice import choose


class ScanResult(NamedTuple):
    """y [K,B,T,C] of u's dtype; last_state [K,B,C,S] float32, float64 for float64 inputs.

    last_state is [K,0,C,S], that of no sequence, where it was not asked for.
    """

    y: Tensor
    last_state: Tensor


def _refuse(name: str, expected: object, received: object) -> NoReturn:
    raise ValueError(f"selective_scan: {name} should be {expected}, got {received}")


def _check_shapes(
    u: Tensor, a: Tensor, tensors: dict[str, Tensor | None], lengths: Tensor | None
) -> None:
    if u.dim() != 4 or 0 in u.shape:
        _refuse("u", "[K,B,T,C] and not empty", tuple(u.shape))
    K, B, T, C = u.shape
    if a.dim() != 3 or 0 in a.shape:
        _refuse("a", "[K,C,S] and not empty", tuple(a.shape))
    S = a.shape[2]
    if a.shape != (K, C, S):
        _refuse("a", (K, C, "S"), tuple(a.shape))
    state = tensors["initial_state"]
    states = B if state is None or state.shape[:2] != (K, 1) else 1
    expected = {
        **dict.fromkeys(("delta", "z"), (K, B, T, C)),
        **dict.fromkeys(("b", "c"), (K, B, T, S)),
        **dict.fromkeys(("d", "delta_bias"), (K, C)),
        "initial_state": (K, states, C, S),
    }
    for name, tensor in tensors.items():
        if tensor is not None and tensor.shape != expected[name]:
            _refuse(name, expected[name], tuple(tensor.shape))
    if lengths is not None and (lengths.shape != (K, B) or lengths.dtype != torch.int64):
        _refuse("lengths", f"int64 {(K, B)}", f"{lengths.dtype} {tuple(lengths.shape)}")


def _check_types(u: Tensor, tensors: dict[str, Tensor | None]) -> None:
    if u.dtype not in (torch.float32, torch.bfloat16, torch.float64):
        _refuse("u", "float32, bfloat16 or float64", u.dtype)
    parameters = torch.float64 if u.dtype == torch.float64 else torch.float32
    for name, tensor in tensors.items():
        expected = u.dtype if name in ("delta", "b", "c", "z") else parameters
        if tensor is not None and tensor.dtype != expected:
            _refuse(name, expected, tensor.dtype)
        if tensor is not None and tensor.device != u.device:
            _refuse(name, f"on {u.device}", f"a tensor on {tensor.device}")


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
    Raises ValueError for shapes, dtypes and devices that do not fit and for an impossible impl.
    Source: Gu, Dao, "Mamba: linear-time sequence modeling with selective state spaces" (2023).
    """
    from geomem.kernels.selective_scan import eager, reference

    tensors = {
        **{"delta": delta, "a": a, "b": b, "c": c, "d": d, "z": z},
        **{"delta_bias": delta_bias, "initial_state": initial_state},
    }
    given = {name: tensor for name, tensor in tensors.items() if name != "a"}
    _check_shapes(u, a, given, lengths)
    _check_types(u, tensors)
    implementations = {"reference": reference.selective_scan, "eager": eager.selective_scan}
    _, run = choose("selective_scan", implementations, impl, auto="eager")
    return run(
        *(u, delta, a, b, c, d, z, delta_bias, initial_state, lengths), delta_softplus, last_state
    )
