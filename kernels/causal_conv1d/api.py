"""Public entry of the short causal convolution: validation and dispatch.

K members · B sequences · T positions · C channels · W width of the filter
"""

from functools import partial

import torch
from torch import Tensor

from geomem.kernels._refusal import refuse
from geomem.kernels.causal_conv1d.problem import Inputs
from geomem.kernels.choice import INTERPRETED, choose, runs_triton

_refuse = partial(refuse, "causal_conv1d")


def _check_shapes(inputs: Inputs) -> None:
    x, weight, bias, initial = inputs
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


def _check_types(inputs: Inputs) -> None:
    x = inputs.x
    if x.dtype not in (torch.float32, torch.bfloat16, torch.float64):
        _refuse("x", "float32, bfloat16 or float64", x.dtype)
    parameters = torch.float64 if x.dtype == torch.float64 else torch.float32
    expected = {"x": x.dtype, "weight": parameters, "bias": parameters, "initial": x.dtype}
    for name, tensor in inputs._asdict().items():
        if tensor is not None and tensor.dtype != expected[name]:
            _refuse(name, expected[name], tensor.dtype)
        if tensor is not None and tensor.device != x.device:
            _refuse(name, f"on {x.device}", f"a tensor on {tensor.device}")


def implementations(device_type: str, dtype: torch.dtype) -> dict[str, str]:
    """Names of the implementations that can run for tensors of a device and a dtype."""
    found = {"reference": "reference", "eager": "eager"}
    kernels = (torch.bfloat16, torch.float32) + ((torch.float64,) if INTERPRETED else ())
    if runs_triton(device_type) and dtype in kernels:
        found["triton"] = "triton"
    return found


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
    impl: "reference"; "eager", the same made fast for a CPU; "triton" (CUDA tensors, or any under
    Triton's interpreter); or "auto": Triton on a GPU where it can run, else eager.
    Raises ValueError for shapes, dtypes and devices that do not fit, and for an activation or an
    impl that does not exist.
    Source: Gu, Dao, "Mamba: linear-time sequence modeling with selective state spaces" (2023).
    """
    from geomem.kernels.causal_conv1d import op, reference

    inputs = Inputs(x, weight, bias, initial)
    _check_shapes(inputs)
    _check_types(inputs)
    if activation not in ("silu", None):
        _refuse("activation", "'silu' or None", repr(activation))
    known = implementations(x.device.type, x.dtype)
    auto = "triton" if x.is_cuda and "triton" in known else "eager"
    name, _ = choose("causal_conv1d", known, impl, auto=auto)
    if name == "reference":
        return reference.causal_conv1d(inputs, activation == "silu")
    return op.call(inputs, activation == "silu", name)
