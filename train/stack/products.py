"""Copies of parameters in the type in which their products are taken."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class _Copies(torch.autograd.Function):
    """Tensors of one type in another, by a few launches for all of them; gradients likewise."""

    @staticmethod
    def forward(ctx: Any, dtype: torch.dtype, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.dtype = tensors[0].dtype
        ctx.set_materialize_grads(False)
        return tuple(_cast(tensors, dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        found = iter(_cast([g for g in grads if g is not None], ctx.dtype))
        return None, *(None if g is None else next(found) for g in grads)


def _cast(tensors: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor]:
    copies = [torch.empty_like(t, dtype=dtype) for t in tensors]
    if copies:
        torch._foreach_copy_(copies, list(tensors))
    return copies


def in_type(
    params: Mapping[str, Tensor], names: Sequence[str], dtype: torch.dtype
) -> dict[str, Tensor]:
    """Return the parameters with those of the names as copies of another type, differentiable."""
    own = [params[name] for name in names]
    if not names or torch.compiler.is_compiling():  # which copies them where they are read
        copies: Sequence[Tensor] = [t.to(dtype) for t in own]
    else:
        copies = _Copies.apply(dtype, *own)
    return {**params, **dict(zip(names, copies, strict=True))}
