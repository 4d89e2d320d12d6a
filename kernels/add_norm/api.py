"""Public entry of the residual addition and the norm after it: validation and dispatch.

K members · R rows · D width
"""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from geomem.kernels._refusal import refuse
from geomem.kernels.add_norm import configs, reference
from geomem.kernels.add_norm.problem import Inputs
from geomem.kernels.choice import choose_pass


class AddNorm(NamedTuple):
    """total [K, R, D] of x's dtype, normal [K, R, D] of the dtype that was asked for."""

    total: Tensor
    normal: Tensor


_refuse = partial(refuse, "add_norm")


def _check(inputs: Inputs) -> None:
    x, y, weight, bias, y_bias = inputs
    if x.dim() != 3 or 0 in x.shape:
        _refuse("x", "[K,R,D] and not empty", tuple(x.shape))
    if not x.is_floating_point():
        _refuse("x", "of a float dtype", x.dtype)
    K, _, D = x.shape
    rows = {"weight": weight, "bias": bias, "y_bias": y_bias}
    for name, t in {"y": y, **rows}.items():
        shape = x.shape if name == "y" else (K, D)
        if t is not None and t.shape != shape:
            _refuse(name, tuple(shape), tuple(t.shape))
        if t is not None and t.device != x.device:
            _refuse(name, f"on {x.device}", f"a tensor on {t.device}")
    if y is None and y_bias is not None:
        raise ValueError("add_norm: give y_bias with y only")
    if y is not None and torch.promote_types(x.dtype, y.dtype) != x.dtype:
        _refuse("y", f"of a dtype that {x.dtype} holds", y.dtype)
    parameters = torch.float64 if x.dtype == torch.float64 else torch.float32
    for name, t in rows.items():
        if t is not None and t.dtype != parameters:
            _refuse(name, parameters, t.dtype)


def implementation(impl: str, device_type: str, dtype: torch.dtype, width: int) -> str:
    """Name of the implementation that `impl` stands for; dtype is that of x.

    Raises ValueError with the alternatives for one that cannot run here.
    """
    return choose_pass("add_norm", impl, device_type, dtype, fits=width <= configs.WIDEST)


def add_norm(
    x: Tensor,
    y: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    *,
    y_bias: Tensor | None = None,
    dtype: torch.dtype | None = None,
    impl: str = "auto",
) -> AddNorm:
    """Add what a layer gave to what it was given, and normalise the sum.

    total is x + (y + y_bias), of what there is; normal is `F.layer_norm(total) * weight + bias` for
    each member, or `F.rms_norm(total) * weight` where bias is None, over the last axis with 1e-5
    added under the root.

    x: [K, R, D]; y: [K, R, D] of x's dtype or one that it holds; weight, bias, y_bias: [K, D],
    float32 (float64 for float64). dtype: of normal, that of x unless given.
    impl: "reference"; "triton" (CUDA tensors of bfloat16 or float32 up to 4096 wide, or any under
    Triton's interpreter), which reads and writes each tensor once; or "auto": Triton on a GPU where
    it can run, except in a function that is compiled, else the reference.
    Raises ValueError for shapes, dtypes and devices that do not fit and for an impl that cannot
    run here.
    Source: Ba, Kiros, Hinton, "Layer normalization" (2016); Zhang, Sennrich, "Root mean square
    layer normalization" (2019).
    """
    inputs = Inputs(x, y, weight, bias, y_bias)
    _check(inputs)
    name = implementation(impl, x.device.type, x.dtype, x.shape[2])
    if name == "reference":
        return AddNorm(*reference.run(inputs, dtype or x.dtype))
    from geomem.kernels.add_norm import op  # needs Triton

    return AddNorm(*op.call(inputs, dtype or x.dtype))
