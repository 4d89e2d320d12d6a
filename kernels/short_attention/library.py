"""Attention of long contexts by libraries: flash-attn where it is installed, else PyTorch's.

Both know one prefix only as keys of every sequence, and take fewer than 65 536 sequences at once.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from geomem.kernels.cpu_matmul import permission_given, piecewise_products
from geomem.kernels.short_attention.problem import Inputs, with_prefix

MOST_SEQUENCES = 65_535
FLASH_WIDTH, FLASH_WIDEST = 8, 256  # a head's width is a multiple of the first


@cache
def flash_attention() -> Callable[..., Any] | None:
    """Return flash-attn's function, or None where it is missing or does not fit this PyTorch."""
    if find_spec("flash_attn") is None:
        return None
    try:
        function: Callable[..., Any] = import_module("flash_attn").flash_attn_func
    except (ImportError, AttributeError):
        return None
    return function


def takes_flash(device_type: str, dtype: torch.dtype, width: int) -> bool:
    """Whether flash-attn is here and takes heads of that kind."""
    half = dtype in (torch.bfloat16, torch.float16)
    kind = device_type == "cuda" and half and width % FLASH_WIDTH == 0 and width <= FLASH_WIDEST
    return kind and flash_attention() is not None


def flash(x: Inputs) -> Tensor:
    """Attend by flash-attn, whose causal mask ends at the last key, so that a prefix is seen."""
    function = flash_attention()
    assert function is not None

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        result: Tensor = function(q, k, v, causal=True, deterministic=True)
        return result

    return _in_batches(attend, x.q, *with_prefix(x))


def sdpa(x: Inputs) -> Tensor:
    """Attend by PyTorch; on a CPU it multiplies tiles of 32, for which oneDNN is no good.

    A compiler sees nothing of that: a program knows no setting of the process.
    """
    if x.q.is_cuda or torch.compiler.is_compiling():
        return _sdpa(x)
    return _on_cpu(x)


def _on_cpu(x: Inputs) -> Tensor:
    if not permission_given():
        return _sdpa(x)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in x):
        result: Tensor = _Piecewise.apply(*x)
        return result
    with piecewise_products():
        return _sdpa(x)


def _sdpa(x: Inputs) -> Tensor:
    """PyTorch's causal mask begins at the first key, so P queries of zeros go ahead."""
    P, (k, v) = x.prefix, with_prefix(x)

    def attend(*tensors: Tensor) -> Tensor:
        q, k, v = (t.transpose(1, 2) for t in tensors)
        o: Tensor = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return o.transpose(1, 2)

    return _in_batches(attend, F.pad(x.q, (0, 0, 0, 0, P, 0)), k, v)[:, :, P:]


class _Piecewise(torch.autograd.Function):
    """The same, forward and backward, under `piecewise_products`."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor | None) -> Tensor:
        leaves = [None if t is None else t.detach().requires_grad_() for t in tensors]
        with piecewise_products(), torch.enable_grad():
            o = _sdpa(Inputs(*leaves))  # type: ignore[arg-type]
        ctx.graph = o, leaves
        return o.detach()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError('short_attention: second derivatives need impl="reference"')
        o, leaves = ctx.graph
        wanted = [t for t in leaves if t is not None]
        with piecewise_products():
            found = iter(torch.autograd.grad(o, wanted, grads[0], retain_graph=True))
        return tuple(None if t is None else next(found) for t in leaves)


def _in_batches(attend: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Fold members and sequences of [K,B,...] into one axis, and divide it where it is too long."""
    batches = zip(*(t.flatten(0, 1).split(MOST_SEQUENCES) for t in tensors), strict=True)
    parts = [attend(*batch) for batch in batches]
    whole = parts[0] if len(parts) == 1 else torch.cat(parts)
    return whole.view(*tensors[0].shape[:2], *whole.shape[1:])
