"""Arguments of the loss in three regimes, and its results in fp64.

K members · N rows · V tokens · D width
"""

from math import log
from typing import NamedTuple

import torch
from torch import Tensor

from geomem.bench.ceilings import dtype_of
from geomem.bench.variants import Point

# How probable the targets are; random draws have no say in them.
REGIMES = {"random": None, "half": 0.5, "memorised": 0.9998}
SAMPLED_ROWS = 64
CHUNK_LOGITS = {"cuda": 1 << 29, "cpu": 1 << 23}


class LossInputs(NamedTuple):
    """x [K, N, D] and embedding [K, V, D], both asking for gradients; targets int64 [K, N]."""

    x: Tensor
    embedding: Tensor
    targets: Tensor


def make_inputs(point: Point, device: str, regime: str, seed: int) -> LossInputs:
    """Draw embeddings of length about 1, and rows whose targets have the regime's probability.

    A row is its target's embedding, scaled: the target scores `scale`, the others about
    `scale` / sqrt(D) times a normal draw.
    """
    K, N, V, D = point.of("KNVD")
    generator = torch.Generator(device).manual_seed(seed)
    table = torch.randn(K, V, D, generator=generator, device=device)
    embedding = table.mul_(D**-0.5).to(dtype_of(device))
    targets = torch.randint(V, (K, N), generator=generator, device=device)
    wanted = REGIMES[regime]
    if wanted is None:
        x = torch.randn(K, N, D, generator=generator, device=device)
    else:
        member = torch.arange(K, device=device)[:, None]
        own = embedding[member, targets].float()
        x = own / own.square().sum(2, keepdim=True)
        x *= _scale(x[0, :SAMPLED_ROWS], embedding[0], targets[0, :SAMPLED_ROWS], wanted)
    x = x.to(dtype_of(device))
    return LossInputs(x.requires_grad_(), embedding.requires_grad_(), targets)


def _scale(x: Tensor, embedding: Tensor, targets: Tensor, wanted: float) -> float:
    """Find by bisection the factor that gives targets the wanted probability, by mean log-odds."""
    others = x @ embedding.float().T
    others.scatter_(1, targets[:, None], -torch.inf)
    low, high, odds = 0.0, 1000.0, log(wanted / (1 - wanted))
    for _ in range(40):
        middle = (low + high) / 2
        found = middle - torch.logsumexp(middle * others, 1).mean()
        low, high = (low, middle) if found > odds else (middle, high)
    return high


def truth(inputs: LossInputs) -> dict[str, Tensor]:
    """Return loss [K] and the gradients of its sum, in fp64, by chunks of members or of rows."""
    K, N, _ = inputs.x.shape
    budget = CHUNK_LOGITS[inputs.x.device.type] // inputs.embedding.shape[1]
    members, rows = max(1, budget // N), max(1, min(N, budget))
    x, embedding, targets = (t.detach() for t in inputs)
    parts = [
        _truth_of_members(x[k:end], embedding[k:end], targets[k:end], rows)
        for k, end in ((k, k + members) for k in range(0, K, members))
    ]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _truth_of_members(
    x: Tensor, embedding: Tensor, targets: Tensor, rows: int
) -> dict[str, Tensor]:
    N, table = x.shape[1], embedding.double()
    loss, dx, de = x.new_zeros(x.shape[0], dtype=torch.float64), [], torch.zeros_like(table)
    for n in range(0, N, rows):
        part, target = x[:, n : n + rows].double(), targets[:, n : n + rows, None]
        z = part @ table.mT
        lse = torch.logsumexp(z, 2, keepdim=True)
        loss += (lse - z.gather(2, target)).sum((1, 2)) / N
        p = z.sub_(lse).exp_()
        p.scatter_add_(2, target, -torch.ones_like(lse)).div_(N)
        dx.append(p @ table)
        de.baddbmm_(p.mT, part)
    return {"loss": loss, "dx": torch.cat(dx, 1), "de": de}
