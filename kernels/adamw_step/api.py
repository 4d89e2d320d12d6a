"""Public entry of the optimiser step over a stack."""

from typing import NamedTuple

from torch import Tensor

from geomem.kernels.choice import choose


class AdamWHyper(NamedTuple):
    """Per-member settings of one step, each float [K].

    scale multiplies the gradient (for clipping); step counts from 1 and sets the bias correction.
    """

    lr: Tensor
    weight_decay: Tensor
    beta1: Tensor
    beta2: Tensor
    eps: Tensor
    scale: Tensor
    step: Tensor


def adamw_step(
    parameters: Tensor,
    gradients: Tensor,
    first: Tensor,
    second: Tensor,
    hyper: AdamWHyper,
    active: Tensor,
    *,
    impl: str = "auto",
) -> None:
    """Advance, in place, the parameters and moments of the active members by one AdamW step.

    Equals `torch.optim.AdamW` with each member's own settings on its own row.

    parameters, gradients, first and second moment: [K, P] of one dtype; active: bool [K], rows of
    members that are not active keep every bit. Raises ValueError for shapes that do not fit.
    Source: Loshchilov, Hutter, "Decoupled weight decay regularization" (2019).
    """
    from geomem.kernels.adamw_step import reference

    if any(t.shape != parameters.shape for t in (gradients, first, second)):
        raise ValueError(f"adamw_step: every tensor should be {tuple(parameters.shape)}")
    implementations = {"reference": reference.adamw_step}
    _, run = choose("adamw_step", implementations, impl, auto="reference")
    run(parameters, gradients, first, second, hyper, active)
