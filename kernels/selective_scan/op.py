"""The scan as an opaque operator of PyTorch, for every implementation, with its autograd.

There are no second derivatives; the reference, which is plain PyTorch, has them.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

from geomem.kernels.selective_scan import configs, eager
from geomem.kernels.selective_scan.problem import (
    Inputs,
    Options,
    Results,
    new_gradients,
    new_results,
)


def _module(impl: str) -> ModuleType:
    if impl == "eager":
        return eager
    from geomem.kernels.selective_scan import fused  # needs Triton

    return fused


@custom_op("geomem::selective_scan", mutates_args=())
def selective_scan(
    u: Tensor,
    delta: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    initial_state: Tensor | None,
    lengths: Tensor | None,
    softplus: bool,
    last_state: bool,
    impl: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Fields of Inputs and of Options in, fields of Results out."""
    x = Inputs(u, delta, a, b, c, d, z, delta_bias, initial_state)
    return _forward(x, Options(lengths, softplus, last_state), impl)


@selective_scan.register_fake
def _(
    u: Tensor,
    delta: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    initial_state: Tensor | None,
    lengths: Tensor | None,
    softplus: bool,
    last_state: bool,
    impl: str,
) -> tuple[Tensor, Tensor, Tensor]:
    chunks = configs.chunks(u.shape[2]) if impl == "triton" else 1
    x = Inputs(u, delta, a, b, c, d, z, delta_bias, initial_state)
    return new_results(x, last_state, u.shape[1] * chunks if chunks > 1 else 0)


@custom_op("geomem::selective_scan_backward", mutates_args=())
def selective_scan_backward(
    u: Tensor,
    delta: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    initial_state: Tensor | None,
    lengths: Tensor | None,
    softplus: bool,
    last_state: bool,
    impl: str,
    saved: Tensor,
    dy: Tensor,
    dlast: Tensor | None,
) -> list[Tensor]:
    """Gradients in the order of Inputs, [0] for what is None."""
    x = (u, delta, a, b, c, d, z, delta_bias, initial_state)
    return _direct_backward(*x, lengths, softplus, last_state, impl, saved, dy, dlast)


@selective_scan_backward.register_fake
def _(
    u: Tensor,
    delta: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    initial_state: Tensor | None,
    *rest: Any,
) -> list[Tensor]:
    return new_gradients(Inputs(u, delta, a, b, c, d, z, delta_bias, initial_state))


def _forward(x: Inputs, options: Options, impl: str) -> Results:
    results: Results = _module(impl).forward(x, options)
    return results


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *tensors, softplus, last_state, impl = inputs
    ctx.options = softplus, last_state, impl
    ctx.save_for_backward(*tensors, output[2])
    ctx.mark_non_differentiable(output[2])
    ctx.set_materialize_grads(False)


def _gradients(
    run: Callable[..., list[Tensor]], ctx: Any, dy: Tensor | None, dlast: Tensor | None
) -> tuple[Tensor | None, ...]:
    if torch.is_grad_enabled():
        raise RuntimeError('selective_scan: second derivatives need impl="reference"')
    *tensors, saved = ctx.saved_tensors
    x, rest = Inputs(*tensors[:-1]), (None,) * 4
    if dy is None and dlast is None:
        return (*(None for _ in x), *rest)
    dy = torch.zeros_like(x.u) if dy is None else dy
    found = run(*tensors, *ctx.options, saved, dy, dlast)
    return (*(None if t is None else g for t, g in zip(x, found, strict=True)), *rest)


def _backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
    return _gradients(selective_scan_backward, ctx, grads[0], grads[1])


selective_scan.register_autograd(_backward, setup_context=_setup)


class _Direct(torch.autograd.Function):
    """The same without the dispatcher of custom ops, which a compact stack would notice."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, ...]:
        *tensors, lengths, softplus, last_state, impl = arguments
        return tuple(_forward(Inputs(*tensors), Options(lengths, softplus, last_state), impl))

    setup_context = staticmethod(_setup)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        return _gradients(_direct_backward, ctx, grads[0], grads[1])


def _direct_backward(*arguments: Any) -> list[Tensor]:
    *tensors, lengths, softplus, last_state, impl, saved, dy, dlast = arguments
    options = Options(lengths, softplus, last_state)
    found: list[Tensor] = _module(impl).backward(Inputs(*tensors), options, saved, dy, dlast)
    return found


def call(x: Inputs, options: Options, impl: str) -> tuple[Tensor, ...]:
    """Run an implementation: as the operator where a compiler looks on, else directly."""
    run = selective_scan if torch.compiler.is_compiling() else _Direct.apply
    results: tuple[Tensor, ...] = run(*x, *options, impl)
    return results
