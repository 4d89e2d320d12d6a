"""Public entry of dropout: validation and dispatch.

K members
"""

from functools import partial

import torch
from torch import Tensor

from geomem.kernels._refusal import refuse
from geomem.kernels.choice import choose_pass
from geomem.kernels.dropout import reference

_refuse = partial(refuse, "dropout")


def _check(x: Tensor, keys: Tensor, rates: Tensor, site: Tensor) -> None:
    if x.dim() == 0 or 0 in x.shape:
        _refuse("x", "[K,...] and not empty", tuple(x.shape))
    if not x.is_floating_point():
        _refuse("x", "of a float dtype", x.dtype)
    K, integers = x.shape[0], torch.int64
    for name, t, shape, dtype in (
        ("keys", keys, (K,), integers),
        ("rates", rates, (K,), torch.float32),
        ("site", site, (), integers),
    ):
        if t.shape != shape:
            _refuse(name, shape, tuple(t.shape))
        if t.dtype != dtype or t.device != x.device:
            _refuse(name, f"{dtype} on {x.device}", f"{t.dtype} on {t.device}")


def implementation(impl: str, device_type: str, dtype: torch.dtype) -> str:
    """Name of the implementation that `impl` stands for; dtype is that of x.

    Raises ValueError with the alternatives for one that cannot run here.
    """
    return choose_pass("dropout", impl, device_type, dtype)


def dropout(x: Tensor, keys: Tensor, rates: Tensor, site: Tensor, *, impl: str = "auto") -> Tensor:
    """Zero elements of x at each member's rate and scale the rest up.

    Which they are depends on a member's key, the site and an element's place in the member, and on
    nothing else: no state is kept, and every implementation gives the same bits, its gradient's
    included.

    x: [K, ...]; keys: int64 [K], see `stream_keys`; rates: float32 [K], in [0, 1); site: int64 [],
    which may change between replays of a CUDA graph. Returns x's shape, in float32 (float64 for
    float64); x's gradient alone is known.
    impl: "reference"; "triton" (CUDA tensors of bfloat16 or float32, or any under Triton's
    interpreter), which reads and writes each tensor once and draws again for the gradient; or
    "auto": Triton on a GPU where it can run, except in a function that is compiled, else the
    reference.
    Raises ValueError for shapes, dtypes and devices that do not fit and for an impl that cannot
    run here.
    Source: Srivastava et al., "Dropout" (2014); Steele, Lea, Flood, "Fast splittable pseudorandom
    number generators" (2014).
    """
    _check(x, keys, rates, site)
    if implementation(impl, x.device.type, x.dtype) == "reference":
        return reference.run(x, keys, rates, site)
    from geomem.kernels.dropout import op  # needs Triton

    return op.call(x, keys, rates, site)
