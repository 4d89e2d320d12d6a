"""The Triton implementation as an opaque operator of PyTorch, with its autograd.

There are no second derivatives; the other implementations, which are plain PyTorch, have them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

from geomem.kernels.short_attention.problem import Inputs


@custom_op("geomem::short_attention", mutates_args=())
def short_attention(
    q: Tensor, k: Tensor, v: Tensor, prefix_k: Tensor | None, prefix_v: Tensor | None
) -> Tensor:
    """Fields of Inputs in, [K,B,T,H,Dh] out."""
    return _forward(q, k, v, prefix_k, prefix_v)


@short_attention.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, prefix_k: Tensor | None, prefix_v: Tensor | None) -> Tensor:
    return q.new_empty(q.shape)


@custom_op("geomem::short_attention_backward", mutates_args=())
def short_attention_backward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    prefix_k: Tensor | None,
    prefix_v: Tensor | None,
    do: Tensor,
) -> list[Tensor]:
    """Gradients in the order of Inputs, [0] for what is None."""
    return _direct_backward(q, k, v, prefix_k, prefix_v, do)


@short_attention_backward.register_fake
def _(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    prefix_k: Tensor | None,
    prefix_v: Tensor | None,
    do: Tensor,
) -> list[Tensor]:
    return [q.new_empty(0 if t is None else t.shape) for t in (q, k, v, prefix_k, prefix_v)]


def _forward(*tensors: Any) -> Tensor:
    from geomem.kernels.short_attention import fused  # needs Triton

    return fused.forward(Inputs(*tensors))


def _direct_backward(*arguments: Any) -> list[Tensor]:
    from geomem.kernels.short_attention import fused  # needs Triton

    *tensors, do = arguments
    return fused.backward(Inputs(*tensors), do)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _gradients(run: Callable[..., list[Tensor]], ctx: Any, do: Tensor) -> tuple[Any, ...]:
    if torch.is_grad_enabled():
        raise RuntimeError('short_attention: second derivatives need impl="reference"')
    tensors = ctx.saved_tensors
    found = run(*tensors, do)
    return tuple(None if t is None else g for t, g in zip(tensors, found, strict=True))


def _backward(ctx: Any, do: Tensor) -> tuple[Any, ...]:
    return _gradients(short_attention_backward, ctx, do)


short_attention.register_autograd(_backward, setup_context=_setup)


class _Direct(torch.autograd.Function):
    """The same without the dispatcher of custom ops, which a compact stack would notice."""

    @staticmethod
    def forward(*tensors: Any) -> Tensor:
        return _forward(*tensors)

    setup_context = staticmethod(_setup)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        return _gradients(_direct_backward, ctx, grads[0])


def call(x: Inputs) -> Tensor:
    """Run the kernels: as the operator where a compiler looks on, else directly."""
    result: Tensor = (short_attention if torch.compiler.is_compiling() else _Direct.apply)(*x)
    return result
