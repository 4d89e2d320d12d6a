"""The step as an opaque operator of PyTorch, for every implementation."""

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


@custom_op("geomem::adamw_step", mutates_args=("parameters", "first", "second", "shadow"))
def adamw_step(
    parameters: Tensor,
    gradients: Tensor,
    first: Tensor,
    second: Tensor,
    shadow: Tensor | None,
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
    x = Arrays(parameters, gradients, first, second, shadow)
    hyper = AdamWHyper(lr, weight_decay, beta1, beta2, eps, scale, step)
    _module(impl).run(x, hyper, active)


@adamw_step.register_fake
def _(
    parameters: Tensor,
    gradients: Tensor,
    first: Tensor,
    second: Tensor,
    shadow: Tensor | None,
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
    """Run an implementation: as the operator where a compiler looks on, else directly."""
    if torch.compiler.is_compiling():
        adamw_step(*x, *hyper, active, impl)
    else:
        _module(impl).run(x, hyper, active)
