"""Plain PyTorch: the specification of the optimiser step."""

import torch
from torch import Tensor

from geomem.kernels.adamw_step.problem import AdamWHyper, Arrays


def run(x: Arrays, hyper: AdamWHyper, active: Tensor) -> None:
    """Do what `geomem.kernels.adamw_step` says, without waiting for the device."""
    lr, decay, beta1, beta2, eps, scale, step = (t[:, None] for t in hyper)
    g = x.gradients * scale
    first = beta1 * x.first + (1 - beta1) * g
    second = beta2 * x.second + (1 - beta2) * g * g
    # expm1 keeps 1 - beta^t exact in fp32 for the first steps, where a power would lose digits.
    correction1 = -torch.expm1(step * torch.log(beta1))
    correction2 = -torch.expm1(step * torch.log(beta2))
    denominator = (second / correction2).sqrt() + eps
    parameters = x.parameters * (1 - lr * decay) - lr / correction1 * first / denominator
    results = [(x.parameters, parameters), (x.first, first), (x.second, second)]
    if x.shadow is not None:
        results.append((x.shadow, parameters.to(x.shadow.dtype)))
    for target, result in results:
        target.copy_(torch.where(active[:, None], result, target))
