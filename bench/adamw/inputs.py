"""Arguments of the optimiser step, and its results in fp64.

K members · P parameters of a member · S settings, each of K / S neighbours
"""

from typing import NamedTuple

import torch
from torch import Tensor

from geomem.bench.variants import Point
from geomem.kernels import AdamWHyper

STEP = 5
PIECE = 1 << 25  # elements in double at a time


class Group(NamedTuple):
    """Members [first, end) and the settings that they share."""

    first: int
    end: int
    lr: float
    weight_decay: float
    betas: tuple[float, float]
    eps: float


class AdamWInputs(NamedTuple):
    """parameters, gradients, moments: float32 [K, P]; active: bool [K], all of them."""

    parameters: Tensor
    gradients: Tensor
    first: Tensor
    second: Tensor
    hyper: AdamWHyper
    active: Tensor
    groups: tuple[Group, ...]


def make_inputs(point: Point, device: str, seed: int) -> AdamWInputs:
    """Draw weights as small as those of a model, and moments of gradients like the one given."""
    K, P, S = point.of("KPS")
    generator = torch.Generator(device).manual_seed(seed)

    def normal(scale: float) -> Tensor:
        return torch.randn(K, P, generator=generator, device=device).mul_(scale)

    tensors = (normal(0.02), normal(1e-3), normal(3e-4), normal(1e-3).square_())
    groups = tuple(
        Group(g * K // S, (g + 1) * K // S, 1e-3 * (1 + g / S), 0.01, (0.9, 0.999), 1e-8)
        for g in range(S)
    )
    rows = [(g.lr, g.weight_decay, *g.betas, g.eps, 1.0, STEP) for g in groups]
    counts = torch.tensor([g.end - g.first for g in groups])
    columns = torch.tensor(rows).repeat_interleave(counts, 0).T.contiguous().to(device)
    active = torch.ones(K, dtype=torch.bool, device=device)
    return AdamWInputs(*tensors, AdamWHyper(*columns), active, groups)


def truth(inputs: AdamWInputs) -> dict[str, Tensor]:
    """Return the change of the parameters and both moments in fp64, by pieces of the columns."""
    K, P = inputs.parameters.shape
    step = max(1, PIECE // K)
    parts = [_truth_of_columns(inputs, slice(at, at + step)) for at in range(0, P, step)]
    return {name: torch.cat([part[name] for part in parts], 1) for name in parts[0]}


def _truth_of_columns(inputs: AdamWInputs, columns: slice) -> dict[str, Tensor]:
    p, g, m, v = (t[:, columns].double() for t in inputs[:4])
    h = AdamWHyper(*(t.double()[:, None] for t in inputs.hyper))
    first = h.beta1 * m + (1 - h.beta1) * g
    second = h.beta2 * v + (1 - h.beta2) * g.square()
    root = (second / (1 - h.beta2**h.step)).sqrt() + h.eps
    change = -h.lr * (h.weight_decay * p + first / (1 - h.beta1**h.step) / root)
    return {"change": change, "first": first, "second": second}
