"""Plain PyTorch: the specification of dropout."""

import torch
from torch import Tensor

from geomem.kernels.streams import random_bits

FRACTION_BITS = 24
ELEMENT_BITS = 30  # of a member at one site


def run(x: Tensor, keys: Tensor, rates: Tensor, site: Tensor) -> Tensor:
    """Return what `geomem.kernels.dropout` says."""
    count = x[0].numel()
    counters = (site << ELEMENT_BITS) + torch.arange(count, device=x.device)
    draw = random_bits(keys, counters) & ((1 << FRACTION_BITS) - 1)
    rates = rates.view(-1, *[1] * (x.dim() - 1))
    kept = draw.view(x.shape) >= (rates * (1 << FRACTION_BITS)).long()
    return x * kept / (1 - rates)
