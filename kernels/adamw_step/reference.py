"""Plain PyTorch: the specification of the optimiser step."""

import torch
from torch import Tensor

from geomem.kernels.adamw_step.api import AdamWHyper

TILE = 1 << 16  # elements per pass: the five arrays of a tile stay in a core's cache


def _update(h: AdamWHyper, p: Tensor, g: Tensor, m: Tensor, v: Tensor) -> None:
    lr, decay, beta1, beta2, eps, scale, step = (t[:, None] for t in h)
    g = g * scale
    m.lerp_(g, 1 - beta1)
    v.mul_(beta2).addcmul_(g * (1 - beta2), g)
    # expm1 keeps 1 - beta^t exact in fp32 for the first steps, where a power would lose digits.
    correction1 = -torch.expm1(step * torch.log(beta1))
    correction2 = -torch.expm1(step * torch.log(beta2))
    denominator = v.sqrt().div_(correction2.sqrt()).add_(eps)
    p.mul_(1 - lr * decay).sub_(m.div(denominator).mul_(lr / correction1))


def adamw_step(
    parameters: Tensor,
    gradients: Tensor,
    first: Tensor,
    second: Tensor,
    hyper: AdamWHyper,
    active: Tensor,
) -> None:
    """Reference of `geomem.kernels.adamw_step`, same arguments."""
    tensors = (parameters, gradients, first, second)
    if not bool(active.all()):
        rows = active.nonzero()[:, 0]
        parts = [t[rows] for t in tensors]
        _update(AdamWHyper(*(t[rows] for t in hyper)), *parts)
        for whole, part in zip(tensors, parts, strict=True):
            whole[rows] = part
        return
    width = max(1, TILE // parameters.shape[0])
    for start in range(0, parameters.shape[1], width):
        _update(hyper, *(t[:, start : start + width] for t in tensors))
