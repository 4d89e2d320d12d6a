"""Public entry of the optimiser step over a stack: validation and dispatch."""

from collections.abc import Sequence
from functools import partial
from types import ModuleType

import torch
from torch import Tensor

from geomem.kernels._refusal import refuse
from geomem.kernels.adamw_step import eager, reference
from geomem.kernels.adamw_step.problem import AdamWHyper, Arrays
from geomem.kernels.choice import INTERPRETED, choose, runs_triton

_DTYPES = (torch.float32, torch.float64)
_refuse = partial(refuse, "adamw_step")


def _check(x: Arrays, hyper: AdamWHyper, active: Tensor) -> None:
    if not x.parameters:
        _refuse("parameters", "one tensor at least", "none")
    for name, array in x._asdict().items():
        if len(array) != len(x.parameters):
            _refuse(name, f"{len(x.parameters)} tensors", f"{len(array)}")
    like = x.parameters[0]
    if like.dtype not in _DTYPES:
        _refuse("parameters", "float32 or float64", like.dtype)
    _check_arrays(x)
    for name, t in hyper._asdict().items():
        _check_tensor(name, t, like.dtype, like.shape[:1], like.device)
    _check_tensor("active", active, torch.bool, like.shape[:1], like.device)


def _check_arrays(x: Arrays) -> None:
    like, shapes = x.parameters[0], [p.shape for p in x.parameters]
    for shape in shapes:
        if len(shape) != 2 or 0 in shape:
            _refuse("parameters", "[K,P] and not empty", tuple(shape))
    for name, array in x._asdict().items():
        may_be_half = name == "gradients" and like.dtype == torch.float32
        for t, shape in zip(array, shapes, strict=True):
            dtype = t.dtype if may_be_half and t.dtype == torch.bfloat16 else like.dtype
            _check_tensor(name, t, dtype, (like.shape[0], shape[1]), like.device)
            if t.stride()[1] != 1 and shape[1] > 1:
                _refuse(name, "of contiguous rows", f"strides {t.stride()}")


def _check_tensor(
    name: str, t: Tensor, dtype: torch.dtype, shape: tuple[int, ...], device: torch.device
) -> None:
    if t.shape != shape or t.dtype != dtype or t.device != device:
        expected = f"{dtype} {tuple(shape)} on {device}"
        _refuse(name, expected, f"{t.dtype} {tuple(t.shape)} on {t.device}")


def implementation(impl: str, device_type: str, dtype: torch.dtype) -> str:
    """Name of the implementation that `impl` stands for; dtype is that of the parameters.

    Raises ValueError with the alternatives for one that cannot run here. In a function that is
    compiled that is every one but the reference, of which the compiler makes one pass: PyTorch 2.11
    gives an operator that writes to views of one arena copies from the wrong place.
    """
    known, auto = {"reference": "reference"}, "reference"
    if torch.compiler.is_compiling():
        return choose("adamw_step", known, impl, auto=auto)[0]
    if device_type == "cpu":
        known["eager"] = auto = "eager"
    if runs_triton(device_type) and dtype in _DTYPES:
        known["triton"] = "triton"
        auto = auto if INTERPRETED else "triton"
    return choose("adamw_step", known, impl, auto=auto)[0]


def _module(name: str) -> ModuleType:
    if name == "triton":
        from geomem.kernels.adamw_step import fused  # needs Triton

        return fused
    return eager if name == "eager" else reference


def adamw_step(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    first: Sequence[Tensor],
    second: Sequence[Tensor],
    hyper: AdamWHyper,
    active: Tensor,
    *,
    impl: str = "auto",
) -> None:
    """Advance, in place, the parameters and moments of the active members by one AdamW step.

    Equals `torch.optim.AdamW` with each member's own settings on its own row.

    parameters, gradients, first and second moment: as many arrays each, [K, P] of one dtype,
    float32 or float64, rows contiguous; of float32 some gradients may be bfloat16; the settings are
    of that dtype; active: bool [K], rows of members that are not active keep every bit, whatever
    their gradients are.
    impl: "reference"; "eager", fast on a CPU; "triton" (CUDA tensors, or CPU tensors under
    Triton's interpreter), which takes up to 16 arrays of alike sizes per launch and does not wait
    for the device; or "auto": Triton on a GPU where it is installed, on a CPU eager. In a function
    that is compiled there is the reference alone. Raises ValueError for shapes, dtypes and devices
    that do not fit and for an impl that cannot run here.
    Source: Loshchilov, Hutter, "Decoupled weight decay regularization" (2019).
    """
    x = Arrays(*map(list, (parameters, gradients, first, second)))
    _check(x, hyper, active)
    name = implementation(impl, parameters[0].device.type, parameters[0].dtype)
    _module(name).run(x, hyper, active)
