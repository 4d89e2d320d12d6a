"""The CPU's step: PyTorch's own fused AdamW on runs of neighbours whose settings agree.

It takes one set of settings per call and reads and writes every element once, while a formula of
tensor operations passes over them a dozen times. A run is one call; members in one sweep mostly
differ in their seeds alone. Rows of a multiple of 16 elements get the same bits in any run: the
last few of any other length are rounded by other instructions.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from geomem.kernels.adamw_step.problem import AdamWHyper, Arrays


def run(x: Arrays, hyper: AdamWHyper, active: Tensor) -> None:
    """See `geomem.kernels.adamw_step`."""
    whole = all(t.is_contiguous() for array in x for t in array)
    scaled = bool((hyper.scale != 1).any())
    for rows in _runs(hyper, active, whole):
        part = Arrays(*([t[rows] for t in array] for array in x))
        if scaled:
            scale = hyper.scale[rows, None]
            part = part._replace(gradients=[g * scale for g in part.gradients])
        _update(part, AdamWHyper(*(t[rows][0] for t in hyper)))


def _runs(hyper: AdamWHyper, active: Tensor, whole: bool) -> Iterator[slice]:
    """Yield the longest runs of active members with equal settings, or one after the other."""
    settings = torch.stack([*hyper._replace(scale=active.to(hyper.lr.dtype))])
    changes = (settings[:, 1:] != settings[:, :-1]).any(0)
    if not whole:
        changes.fill_(True)
    starts = [0, *(changes.nonzero()[:, 0] + 1).tolist(), len(active)]
    goes_on = active.tolist()
    for start, end in pairwise(starts):
        if goes_on[start]:
            yield slice(start, end)


def _update(x: Arrays, hyper: AdamWHyper) -> None:
    lr, decay, beta1, beta2, eps = (float(t) for t in hyper[:5])
    torch._fused_adamw_(
        x.parameters, x.gradients, x.first, x.second, [], [hyper.step] * len(x.first),
        lr=lr, beta1=beta1, beta2=beta2, weight_decay=decay, eps=eps, amsgrad=False, maximize=False,
    )  # fmt: skip
    if x.shadow:
        torch._foreach_copy_(x.shadow, x.parameters)
