"""The convolution as an opaque operator of PyTorch, for every implementation, with its autograd.

There are no second derivatives; the reference, which is plain PyTorch, has them.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

from geomem.kernels.causal_conv1d import eager
from geomem.kernels.causal_conv1d.problem import Inputs, new_gradients


def _module(impl: str) -> ModuleType:
    if impl == "eager":
        return eager
    from geomem.kernels.causal_conv1d import fused  # needs Triton

    return fused


@custom_op("geomem::causal_conv1d", mutates_args=())
def causal_conv1d(
    x: Tensor, weight: Tensor, bias: Tensor | None, initial: Tensor | None, silu: bool, impl: str
) -> Tensor:
    """Fields of Inputs in, y out."""
    return _forward(x, weight, bias, initial, silu, impl)


@causal_conv1d.register_fake
def _(
    x: Tensor, weight: Tensor, bias: Tensor | None, initial: Tensor | None, silu: bool, impl: str
) -> Tensor:
    return x.new_empty(x.shape)


@custom_op("geomem::causal_conv1d_backward", mutates_args=())
def causal_conv1d_backward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    initial: Tensor | None,
    silu: bool,
    impl: str,
    dy: Tensor,
) -> list[Tensor]:
    """Gradients in the order of Inputs, [0] for what is None."""
    return _direct_backward(x, weight, bias, initial, silu, impl, dy)


@causal_conv1d_backward.register_fake
def _(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    initial: Tensor | None,
    silu: bool,
    impl: str,
    dy: Tensor,
) -> list[Tensor]:
    return new_gradients(Inputs(x, weight, bias, initial))


def _forward(*arguments: Any) -> Tensor:
    *tensors, silu, impl = arguments
    y: Tensor = _module(impl).forward(Inputs(*tensors), silu)
    return y


def _direct_backward(*arguments: Any) -> list[Tensor]:
    *tensors, silu, impl, dy = arguments
    found: list[Tensor] = _module(impl).backward(Inputs(*tensors), silu, dy)
    return found


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, silu, impl = inputs
    ctx.options = silu, impl
    ctx.save_for_backward(*tensors)


def _gradients(run: Callable[..., list[Tensor]], ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    if torch.is_grad_enabled():
        raise RuntimeError('causal_conv1d: second derivatives need impl="reference"')
    x = ctx.saved_tensors
    found = run(*x, *ctx.options, dy)
    return (*(None if t is None else g for t, g in zip(x, found, strict=True)), None, None)


def _backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    return _gradients(causal_conv1d_backward, ctx, dy)


causal_conv1d.register_autograd(_backward, setup_context=_setup)


class _Direct(torch.autograd.Function):
    """The same without the dispatcher of custom ops, which a compact stack would notice."""

    forward = staticmethod(_forward)
    setup_context = staticmethod(_setup)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _gradients(_direct_backward, ctx, grads[0])


def call(x: Inputs, silu: bool, impl: str) -> Tensor:
    """Run an implementation: as the operator where a compiler looks on, else directly."""
    run = causal_conv1d if torch.compiler.is_compiling() else _Direct.apply
    y: Tensor = run(*x, silu, impl)
    return y
