"""Plain PyTorch: the specification of the norm per member."""

import torch
from torch import Tensor


def run(arrays: list[Tensor]) -> Tensor:
    """Return what `geomem.kernels.member_norm` says, without waiting for the device."""
    parts = [torch.linalg.vector_norm(t, dim=1) for t in arrays]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(parts, 1), dim=1)
    return norm
