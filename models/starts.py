"""Where parameters start. Values depend on the member's key and the element's index alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Protocol

import torch
from torch import Tensor

from geomem.kernels.streams import normal, uniform


class Start(Protocol):
    """How a parameter begins."""

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """Return float64 [K, count] for keys [K] and the elements' indices [count].

        settings: per-member numbers, float64 [K], under the names that starts refer to.
        """
        ...


@dataclass(frozen=True)
class Normal:
    """Normal around 0; `std` names a per-member deviation."""

    std: str

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """See `Start.values`."""
        return normal(keys, counters) * settings[self.std][:, None]


@dataclass(frozen=True)
class Constant:
    """The same number everywhere, or the per-member one of that name."""

    value: float | str

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """See `Start.values`."""
        if isinstance(self.value, str):
            return settings[self.value][:, None].expand(-1, len(counters))
        return torch.full((len(keys), len(counters)), self.value, dtype=torch.float64)


@dataclass(frozen=True)
class Uniform:
    """Uniform in [-bound, bound]."""

    bound: float

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """See `Start.values`."""
        return (2 * uniform(keys, counters) - 1) * self.bound


@dataclass(frozen=True)
class StepSizeBias:
    """Mamba's Δ bias: softplus of it is log-uniform in [low, high] (Gu & Dao 2023)."""

    low: float = 1e-3
    high: float = 1e-1

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """See `Start.values`."""
        span = log(self.high) - log(self.low)
        step = torch.exp(uniform(keys, counters) * span + log(self.low))
        return step + torch.log(-torch.expm1(-step))


@dataclass(frozen=True)
class LogStateIndex:
    """Mamba's log of -A: log(1 … states) in every channel, S4D-real (Gu & Dao 2023)."""

    states: int

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """See `Start.values`."""
        return torch.log(counters % self.states + 1.0).double().expand(len(keys), -1)
