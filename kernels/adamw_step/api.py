"""Public entry of the optimiser step over a stack: validation and dispatch."""

from typing import NoReturn

import torch
from torch import Tensor

from geomem.kernels.adamw_step.problem import AdamWHyper, Arrays
from geomem.kernels.choice import INTERPRETED, choose, runs_triton

_DTYPES = (torch.float32, torch.float64)


def _refuse(name: str, expected: object, received: object) -> NoReturn:
    raise ValueError(f"adamw_step: {name} should be {expected}, got {received}")


def _check(x: Arrays, hyper: AdamWHyper, active: Tensor) -> None:
    like = x.parameters
    if like.dim() != 2 or 0 in like.shape:
        _refuse("parameters", "[K,P] and not empty", tuple(like.shape))
    if like.dtype not in _DTYPES:
        _refuse("parameters", "float32 or float64", like.dtype)
    types = {"shadow": torch.bfloat16, "active": torch.bool}
    for name, t in {**x._asdict(), **hyper._asdict(), "active": active}.items():
        if t is None:
            continue
        dtype = types.get(name, like.dtype)
        shape = like.shape if name in Arrays._fields else like.shape[:1]
        if t.shape != shape or t.dtype != dtype or t.device != like.device:
            expected = f"{dtype} {tuple(shape)} on {like.device}"
            _refuse(name, expected, f"{t.dtype} {tuple(t.shape)} on {t.device}")
        if t.dim() == 2 and t.shape[1] > 1 and t.stride(1) != 1:
            _refuse(name, "of contiguous rows", f"strides {t.stride()}")


def implementation(impl: str, device_type: str, dtype: torch.dtype) -> str:
    """Name of the implementation that `impl` stands for; dtype is that of the parameters.

    Raises ValueError with the alternatives for one that cannot run here.
    """
    known, auto = {"reference": "reference"}, "reference"
    if device_type == "cpu":
        known["eager"] = auto = "eager"
    if runs_triton(device_type) and dtype in _DTYPES:
        known["triton"] = "triton"
        auto = auto if INTERPRETED else "triton"
    return choose("adamw_step", known, impl, auto=auto)[0]


def adamw_step(
    parameters: Tensor,
    gradients: Tensor,
    first: Tensor,
    second: Tensor,
    hyper: AdamWHyper,
    active: Tensor,
    *,
    shadow: Tensor | None = None,
    impl: str = "auto",
) -> None:
    """Advance, in place, the parameters and moments of the active members by one AdamW step.

    Equals `torch.optim.AdamW` with each member's own settings on its own row.

    parameters, gradients, first and second moment: [K, P] of one dtype, float32 or float64, rows
    contiguous; the settings are of that dtype; active: bool [K], rows of members that are not
    active keep every bit, whatever their gradients are. shadow: bfloat16 [K, P], receives a
    rounded copy of the active members' new parameters.
    impl: "reference"; "eager", fast on a CPU; "triton" (CUDA tensors, or CPU tensors under
    Triton's interpreter), which needs one launch and does not wait for the device; or "auto":
    Triton on a GPU where it is installed, eager on a CPU. Raises ValueError for shapes, dtypes and
    devices that do not fit and for an impl that cannot run here.
    Source: Loshchilov, Hutter, "Decoupled weight decay regularization" (2019).
    """
    from geomem.kernels.adamw_step import op

    x = Arrays(parameters, gradients, first, second, shadow)
    _check(x, hyper, active)
    name = implementation(impl, parameters.device.type, parameters.dtype)
    op.call(x, hyper, active, name)
