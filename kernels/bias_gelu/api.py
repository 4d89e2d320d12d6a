"""Public entry of bias and GELU: validation and dispatch.

K members · R rows · F width
"""

from functools import partial

import torch
from torch import Tensor

from geomem.kernels._refusal import refuse
from geomem.kernels.bias_gelu import reference
from geomem.kernels.choice import choose_pass

_refuse = partial(refuse, "bias_gelu")


def _check(x: Tensor, bias: Tensor) -> None:
    if x.dim() != 3 or 0 in x.shape:
        _refuse("x", "[K,R,F] and not empty", tuple(x.shape))
    if not x.is_floating_point():
        _refuse("x", "of a float dtype", x.dtype)
    shape, wide = (x.shape[0], x.shape[2]), torch.promote_types(x.dtype, torch.float32)
    if bias.shape != shape:
        _refuse("bias", shape, tuple(bias.shape))
    if bias.dtype != wide or bias.device != x.device:
        _refuse("bias", f"{wide} on {x.device}", f"{bias.dtype} on {bias.device}")


def implementation(impl: str, device_type: str, dtype: torch.dtype) -> str:
    """Name of the implementation that `impl` stands for; dtype is that of x.

    Raises ValueError with the alternatives for one that cannot run here.
    """
    return choose_pass("bias_gelu", impl, device_type, dtype)


def bias_gelu(x: Tensor, bias: Tensor, *, impl: str = "auto") -> Tensor:
    """GELU, in its form with tanh, of a product and its bias.

    Equals `F.gelu(x + bias, approximate="tanh")` for each member, in float32 (float64 for float64).

    x: [K, R, F]; bias: [K, F], float32 (float64 for float64). Returns [K, R, F] of x's dtype.
    impl: "reference"; "triton" (CUDA tensors of bfloat16 or float32, or any under Triton's
    interpreter), which reads and writes each tensor once; or "auto": Triton on a GPU where it can
    run, except in a function that is compiled, else the reference.
    Raises ValueError for shapes, dtypes and devices that do not fit and for an impl that cannot
    run here.
    Source: Hendrycks, Gimpel, "Gaussian error linear units" (arXiv 1606.08415).
    """
    _check(x, bias)
    if implementation(impl, x.device.type, x.dtype) == "reference":
        return reference.run(x, bias)
    from geomem.kernels.bias_gelu import op  # needs Triton

    return op.call(x, bias)
