"""Plain PyTorch: the specification of the optimiser step."""

import torch
from torch import Tensor

from geomem.kernels.adamw_step.problem import AdamWHyper, Arrays


def run(x: Arrays, hyper: AdamWHyper, active: Tensor) -> None:
    """Do what `geomem.kernels.adamw_step` says, without waiting for the device."""
    lr, decay, beta1, beta2, eps, scale, step = (t[:, None] for t in hyper)
    # In fp64 1 - beta^t keeps its digits in the first steps, where it is small.
    t = step.double()
    correction1 = (1 - beta1.double() ** t).to(lr.dtype)
    root2 = (1 - beta2.double() ** t).rsqrt().to(lr.dtype)
    kept, rate = 1 - lr * decay, lr / correction1
    for p, g, m, v in zip(*x, strict=True):
        scaled = g.to(p.dtype) * scale
        first = beta1 * m + (1 - beta1) * scaled
        second = beta2 * v + (1 - beta2) * scaled * scaled
        denominator = second.sqrt() * root2 + eps
        parameters = p * kept - rate * (first / denominator)
        for target, result in ((p, parameters), (m, first), (v, second)):
            target.copy_(torch.where(active[:, None], result, target))
