"""Plain PyTorch: the specification of the optimiser step."""

import torch
from torch import Tensor

from geomem.kernels.adamw_step.problem import AdamWHyper, Arrays


def run(x: Arrays, hyper: AdamWHyper, active: Tensor) -> None:
    """Do what `geomem.kernels.adamw_step` says, without waiting for the device."""
    lr, decay, beta1, beta2, eps, scale, step = (t[:, None] for t in hyper)
    # expm1 keeps 1 - beta^t exact in fp32 for the first steps, where a power would lose digits.
    correction1 = -torch.expm1(step * torch.log(beta1))
    root2 = (-torch.expm1(step * torch.log(beta2))).rsqrt()
    for p, g, m, v in zip(*x, strict=True):
        scaled = g * scale
        first = beta1 * m + (1 - beta1) * scaled
        second = beta2 * v + (1 - beta2) * scaled * scaled
        denominator = second.sqrt() * root2 + eps
        parameters = p * (1 - lr * decay) - (lr / correction1) * (first / denominator)
        for target, result in ((p, parameters), (m, first), (v, second)):
            target.copy_(torch.where(active[:, None], result, target))
