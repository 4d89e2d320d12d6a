"""Copies of parameters in the type in which their products are taken."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def in_type(
    params: Mapping[str, Tensor], names: Sequence[str], dtype: torch.dtype
) -> dict[str, Tensor]:
    """Return the parameters, those of the names as copies of another type.

    A copy is differentiated itself: its gradient is of its type, and casts back nothing.
    """
    own = [params[name] for name in names]
    if torch.compiler.is_compiling():  # which copies them where they are read
        copies = [t.to(dtype) for t in own]
    else:
        copies = [torch.empty_like(t, dtype=dtype) for t in own]
        if copies:
            torch._foreach_copy_(copies, [t.detach() for t in own])
        for copy, t in zip(copies, own, strict=True):
            copy.requires_grad_(t.requires_grad)
    return {**params, **dict(zip(names, copies, strict=True))}
