"""The CPU's step: PyTorch's own fused AdamW on runs of neighbours whose settings agree.

It takes one set of settings per call and reads and writes every element once, while a formula of
tensor operations passes over them a dozen times. Where that would come to very many small calls,
members that differ in learning rate and weight decay share one too: it leaves the change of a rate
of 1 beside the parameters, and two operations do the rest. Whom a member stands beside can then
move its last bit, as it can in an array whose length is no multiple of 16.
"""

from itertools import pairwise

import torch
from torch import Tensor

from geomem.kernels.adamw_step.problem import AdamWHyper, Arrays

MANY, SMALL = 256, 4096  # parts of arrays that runs come to, and elements of a part


def run(x: Arrays, hyper: AdamWHyper, active: Tensor) -> None:
    """See `geomem.kernels.adamw_step`."""
    if bool((hyper.scale != 1).any()):
        x = x._replace(gradients=[g * hyper.scale[:, None] for g in x.gradients])
    starts = _starts(x, hyper, active)
    if len(starts) == 1:  # as nearly always, and views of every array are dear where all is small
        if bool(active[0]):
            _step(x, hyper)
        return
    lengths = [end - start for start, end in pairwise([*starts, len(active)])]
    settings = zip(*(t.split(lengths) for t in hyper), strict=True)
    runs = [[t.split(lengths) for t in array] for array in x]
    goes_on = active[starts].tolist()
    for i, own in enumerate(settings):
        if goes_on[i]:
            arrays = ([parts[i] for parts in array] for array in runs)
            _step(Arrays(*arrays), AdamWHyper(*own))


def _starts(x: Arrays, hyper: AdamWHyper, active: Tensor) -> list[int]:
    """Return at which members runs begin that one call can serve."""
    if not all(t.is_contiguous() for array in x for t in array):
        return list(range(len(active)))
    always = [hyper.beta1, hyper.beta2, hyper.eps, hyper.step, active.to(hyper.step)]
    starts = _changes([*always, hyper.lr, hyper.weight_decay])
    parts = len(starts) * len(x.parameters)
    if parts <= MANY or sum(p.numel() for p in x.parameters) > SMALL * parts:
        return starts
    return _changes(always)


def _changes(settings: list[Tensor]) -> list[int]:
    columns = torch.stack(settings)
    changes = (columns[:, 1:] != columns[:, :-1]).any(0)
    return [0, *(changes.nonzero()[:, 0] + 1).tolist()]


def _step(x: Arrays, hyper: AdamWHyper) -> None:
    """Step members that agree in everything but learning rate and weight decay."""
    lr, decay = hyper.lr[:, None], hyper.weight_decay[:, None]
    if bool((lr == lr[0]).all() & (decay == decay[0]).all()):
        _fused(x.parameters, x, hyper, float(lr[0]), float(decay[0]))
    else:
        changes = [torch.zeros_like(p) for p in x.parameters]
        _fused(changes, x, hyper, 1.0, 0.0)
        kept = 1 - lr * decay
        for p, change in zip(x.parameters, changes, strict=True):
            p.mul_(kept).addcmul_(change, lr)


def _fused(parameters: list[Tensor], x: Arrays, hyper: AdamWHyper, lr: float, decay: float) -> None:
    beta1, beta2, eps = (float(t[0]) for t in (hyper.beta1, hyper.beta2, hyper.eps))
    torch._fused_adamw_(
        parameters, x.gradients, x.first, x.second, [], [hyper.step[0]] * len(parameters),
        lr=lr, beta1=beta1, beta2=beta2, weight_decay=decay, eps=eps, amsgrad=False, maximize=False,
    )  # fmt: skip
