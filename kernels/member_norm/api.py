"""Public entry of the norm per member: validation and dispatch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from geomem.kernels.choice import INTERPRETED, choose, runs_triton
from geomem.kernels.member_norm import op

_SHORT, _LONG = (torch.bfloat16, torch.float32), (torch.float64,)


def _check(arrays: list[Tensor]) -> None:
    if not arrays:
        raise ValueError("member_norm: expected one array at least")
    like = arrays[0]
    dtypes = _LONG if like.dtype in _LONG else _SHORT
    for t in arrays:
        if t.dim() != 2 or 0 in t.shape or t.shape[0] != like.shape[0]:
            raise ValueError(
                f"member_norm: expected arrays ({like.shape[0]}, P), not empty, "
                f"got {tuple(t.shape)}"
            )
        if t.dtype not in dtypes or t.device != like.device:
            raise ValueError(
                f"member_norm: expected arrays of float32 and bfloat16, or of float64, on one "
                f"device, got {like.dtype} on {like.device} and {t.dtype} on {t.device}"
            )


def implementation(impl: str, device_type: str, dtype: torch.dtype) -> str:
    """Name of the implementation that `impl` stands for.

    Raises ValueError with the alternatives for one that cannot run here.
    """
    known, auto = {"reference": "reference"}, "reference"
    if runs_triton(device_type) and dtype in _SHORT + _LONG:
        known["triton"] = "triton"
        auto = auto if INTERPRETED else "triton"
    return choose("member_norm", known, impl, auto=auto)[0]


def member_norm(arrays: Sequence[Tensor], *, impl: str = "auto") -> Tensor:
    """Return the Euclidean norm of each member over all arrays, [K], without gradients.

    Equals `torch.linalg.vector_norm(torch.cat(arrays, 1), dim=1)`, and repeats to the bit.

    arrays: [K, P] each, P may differ, of float32 and bfloat16, or of float64. Returns float32
    (float64 of float64).
    impl: "reference"; "triton" (CUDA tensors, or CPU tensors under Triton's interpreter), which
    takes a few launches where the reference takes one per array; or "auto": Triton on a GPU where
    it is installed. Raises ValueError for arrays that do not fit and an impl that cannot run here.
    """
    given = [t.detach() for t in arrays]
    _check(given)
    return op.call(given, implementation(impl, given[0].device.type, given[0].dtype))
