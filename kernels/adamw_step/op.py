"""The step as an opaque operator of PyTorch, for every implementation."""

from collections.abc import Sequence
from types import ModuleType

import torch
from torch import Tensor
from torch.library import custom_op

from geomem.kernels.adamw_step import eager, reference
from geomem.kernels.adamw_step.problem import AdamWHyper, Arrays


def _module(impl: str) -> ModuleType:
    if impl == "triton":
        from geomem.kernels.adamw_step import fused  # needs Triton

        return fused
    return eager if impl == "eager" else reference


@custom_op("geomem::adamw_step", mutates_args=("parameters", "first", "second"))
def adamw_step(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    first: Sequence[Tensor],
    second: Sequence[Tensor],
    lr: Tensor,
    weight_decay: Tensor,
    beta1: Tensor,
    beta2: Tensor,
    eps: Tensor,
    scale: Tensor,
    step: Tensor,
    active: Tensor,
    impl: str,
) -> None:
    """Fields of Arrays and of AdamWHyper in; impl as `implementation` names it."""
    x = Arrays(*map(list, (parameters, gradients, first, second)))
    hyper = AdamWHyper(lr, weight_decay, beta1, beta2, eps, scale, step)
    _module(impl).run(x, hyper, active)


@adamw_step.register_fake
def _(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    first: Sequence[Tensor],
    second: Sequence[Tensor],
    lr: Tensor,
    weight_decay: Tensor,
    beta1: Tensor,
    beta2: Tensor,
    eps: Tensor,
    scale: Tensor,
    step: Tensor,
    active: Tensor,
    impl: str,
) -> None:
    return None


def call(x: Arrays, hyper: AdamWHyper, active: Tensor, impl: str) -> None:
    """Run an implementation: as the operator where a compiler looks on, else directly.

    The reference is open to the compiler, which makes one pass of it.
    """
    if torch.compiler.is_compiling() and impl != "reference":
        adamw_step(*x, *hyper, active, impl)
    else:
        _module(impl).run(x, hyper, active)
