"""Public entry of the short causal convolution: validation and dispatch.

K members · B sequences · T positions · C channels · W width of the filter
"""

from typing import NoReturn

import torch
from torch import Tensor

from geomem.kernels.choice import choose


def _refuse(name: str, expected: object, received: object) -> NoReturn:
    raise ValueError(f"causal_conv1d: {name} should be {expected}, got {received}")


def _check_shapes(x: Tensor, weight: Tensor, bias: Tensor | None, initial: Tensor | None) -> None:
    if x.dim() != 4 or 0 in x.shape:
        _refuse("x", "[K,B,T,C] and not empty", tuple(x.shape))
    K, B, _, C = x.shape
    if weight.dim() != 3 or weight.shape[:2] != (K, C) or not 2 <= weight.shape[2] <= 4:
        _refuse("weight", f"{(K, C, 'W')} with W of 2, 3 or 4", tuple(weight.shape))
    W = weight.shape[2]
    if bias is not None and bias.shape != (K, C):
        _refuse("bias", (K, C), tuple(bias.shape))
    shared = (K, 1, W - 1, C)
    if initial is not None and initial.shape not in ((K, B, W - 1, C), shared):
        _refuse("initial", f"{(K, B, W - 1, C)} or {shared}", tuple(initial.shape))


def _check_types(x: Tensor, weight: Tensor, bias: Tensor | None, initial: Tensor | None) -> None:
    if x.dtype not in (torch.float32, torch.bfloat16, torch.float64):
        _refuse("x", "float32, bfloat16 or float64", x.dtype)
    parameters = torch.float64 if x.dtype == torch.float64 else torch.float32
    expected = {"weight": parameters, "bias": parameters, "initial": x.dtype}
    given = {"weight": weight, "bias": bias, "initial": initial}
    for name, tensor in given.items():
        if tensor is not None and tensor.dtype != expected[name]:
            _refuse(name, expected[name], tensor.dtype)
        if tensor is not None and tensor.device != x.device:
            _refuse(name, f"on {x.device}", f"a tensor on {tensor.device}")


def causal_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    initial: Tensor | None = None,
    activation: str | None = "silu",
    impl: str = "auto",
) -> Tensor:
    """Convolve every channel with its own short filter that looks back only, then activate.

    Equals, for each member, `silu(F.conv1d(cat(initial, x), weight[:, None], bias, groups=C))`
    with channels moved last: the last tap of the filter meets the current step. Arithmetic is in
    float32 (float64 for float64 inputs).

    x: [K, B, T, C], float32, bfloat16 or float64; weight: [K, C, W], W of 2 to 4, and bias:
    [K, C], float32; initial: the W-1 steps before x, [K, B, W-1, C], or [K, 1, W-1, C] where all
    sequences of a member share them (their gradient is the sum), of x's dtype; zeros without it.
    activation: "silu" or None. Returns [K, B, T, C] of x's dtype.
    Raises ValueError for shapes, dtypes and devices that do not fit, and for an activation or an
    impl that does not exist.
    Source: Gu, Dao, "Mamba: linear-time sequence modeling with selective state spaces" (2023).
    """
    from geomem.kernels.causal_conv1d import eager, reference

    _check_shapes(x, weight, bias, initial)
    _check_types(x, weight, bias, initial)
    if activation not in ("silu", None):
        _refuse("activation", "'silu' or None", repr(activation))
    implementations = {"reference": reference.causal_conv1d, "eager": eager.causal_conv1d}
    _, run = choose("causal_conv1d", implementations, impl, auto="eager")
    return run(x, weight, bias, initial, activation)
