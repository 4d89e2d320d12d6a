"""The CPU's step: PyTorch's own fused AdamW on runs of neighbours whose settings agree.

It takes one set of settings per call and reads and writes every element once, while a formula of
tensor operations passes over them a dozen times. Where that would come to very many small calls,
members that differ in learning rate and weight decay share one too: it leaves the change of a rate
of 1 beside the parameters, and two operations do the rest. Whom a member stands beside can then
move its last bit, as it can in an array whose length is no multiple of 16.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from geomem.kernels.adamw_step.problem import AdamWHyper, Arrays

MANY, SMALL = 256, 4096  # parts of arrays that runs come to, and elements of a part


class _Own(NamedTuple):
    """What one member is stepped with, as numbers: a call for each that asks tensors is dear."""

    active: bool
    lr: float
    decay: float
    beta1: float
    beta2: float
    eps: float
    step: float


def run(x: Arrays, hyper: AdamWHyper, active: Tensor) -> None:
    """See `geomem.kernels.adamw_step`."""
    if bool((hyper.scale != 1).any()):
        x = x._replace(gradients=[g * hyper.scale[:, None] for g in x.gradients])
    if any(g.dtype != hyper.lr.dtype for g in x.gradients):
        x = x._replace(gradients=[g.to(hyper.lr.dtype) for g in x.gradients])
    columns = (
        active,
        hyper.lr,
        hyper.weight_decay,
        hyper.beta1,
        hyper.beta2,
        hyper.eps,
        hyper.step,
    )
    members = [_Own(*own) for own in zip(*(t.tolist() for t in columns), strict=True)]
    bounds = [*_starts(x, members), len(members)]
    lengths = [end - start for start, end in pairwise(bounds)]
    # Views of every array are dear where all is small, and nearly always there is one run.
    runs = [x] if len(lengths) == 1 else _split(x, lengths)
    for part, (start, end) in zip(runs, pairwise(bounds), strict=True):
        own, step = members[start], hyper.step[start]
        if not own.active:
            continue
        if all(other == own for other in members[start:end]):
            _fused(part.parameters, part, own, step, own.lr, own.decay)
        else:
            _at_their_rates(part, own, step, hyper.lr[start:end], hyper.weight_decay[start:end])


def _split(x: Arrays, lengths: list[int]) -> list[Arrays]:
    parts = [[t.split(lengths) for t in array] for array in x]
    return [Arrays(*([t[i] for t in array] for array in parts)) for i in range(len(lengths))]


def _starts(x: Arrays, members: Sequence[_Own]) -> list[int]:
    """Return at which members runs begin that one call can serve."""
    if not all(t.is_contiguous() for array in x for t in array):
        return list(range(len(members)))
    starts = _changes(members)
    parts = len(starts) * len(x.parameters)
    if parts <= MANY or sum(p.numel() for p in x.parameters) > SMALL * parts:
        return starts
    return _changes([own._replace(lr=0.0, decay=0.0) for own in members])


def _changes(members: Sequence[_Own]) -> list[int]:
    return [0, *(k for k, (a, b) in enumerate(pairwise(members), 1) if a != b)]


def _at_their_rates(x: Arrays, own: _Own, step: Tensor, lr: Tensor, decay: Tensor) -> None:
    """Step members that agree in everything but learning rate and weight decay, each [K]."""
    changes = [torch.zeros_like(p) for p in x.parameters]
    _fused(changes, x, own, step, 1.0, 0.0)
    kept = (1 - lr * decay)[:, None]
    for p, change in zip(x.parameters, changes, strict=True):
        p.mul_(kept).addcmul_(change, lr[:, None])


def _fused(
    parameters: list[Tensor], x: Arrays, own: _Own, step: Tensor, lr: float, decay: float
) -> None:
    torch._fused_adamw_(
        parameters, x.gradients, x.first, x.second, [], [step] * len(parameters),
        lr=lr, beta1=own.beta1, beta2=own.beta2, weight_decay=decay, eps=own.eps,
        amsgrad=False, maximize=False,
    )  # fmt: skip
