"""Plain PyTorch: the specification of the norm per member."""

import torch
from torch import Tensor


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which squares are summed: float64 of float64, else float32."""
    return torch.promote_types(dtype, torch.float32)


def run(arrays: list[Tensor]) -> Tensor:
    """Return what `geomem.kernels.member_norm` says, without waiting for the device."""
    dtype = wide(arrays[0].dtype)
    parts = [torch.linalg.vector_norm(t, dim=1, dtype=dtype) for t in arrays]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(parts, 1), dim=1)
    return norm
