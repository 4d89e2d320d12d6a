"""Where parameters start. Values depend on the member's key and the element's index alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Protocol

import torch
from torch import Tensor

from geomem.kernels.streams import normal, uniform


class Start(Protocol):
    """How a parameter begins; `whole`: its elements can only be drawn all at once."""

    @property
    def whole(self) -> bool: ...

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """Return float64 [K, count] for keys [K] and the elements' indices [count].

        settings: per-member numbers, float64 [K], under the names that starts refer to.
        """
        ...


class _Elementwise:
    """Each element is drawn for itself."""

    whole = False


@dataclass(frozen=True)
class Normal(_Elementwise):
    """Normal around 0; `std`, or the per-member deviation of that name, in units of `unit`."""

    std: str | float
    unit: float = 1.0

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """See `Start.values`."""
        found = normal(keys, counters) * self.unit
        return found * (settings[self.std][:, None] if isinstance(self.std, str) else self.std)


@dataclass(frozen=True)
class Orthogonal:
    """A rotation or reflection of `size` dimensions, uniformly distributed."""

    size: int
    whole = True

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """See `Start.values`."""
        drawn = normal(keys, counters).view(-1, self.size, self.size)
        q, r = torch.linalg.qr(drawn)
        signs = r.diagonal(dim1=1, dim2=2).sign()  # or Q would follow the factorisation's habits
        found: Tensor = (q * signs[:, None]).flatten(1)
        return found


@dataclass(frozen=True)
class Constant(_Elementwise):
    """The same number everywhere, or the per-member one of that name."""

    value: float | str

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """See `Start.values`."""
        if isinstance(self.value, str):
            return settings[self.value][:, None].expand(-1, len(counters))
        shape = len(keys), len(counters)
        return torch.full(shape, self.value, dtype=torch.float64, device=keys.device)


@dataclass(frozen=True)
class Uniform(_Elementwise):
    """Uniform in [-bound, bound]."""

    bound: float

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """See `Start.values`."""
        return (2 * uniform(keys, counters) - 1) * self.bound


@dataclass(frozen=True)
class StepSizeBias(_Elementwise):
    """Mamba's Δ bias: softplus of it is log-uniform in [low, high] (Gu & Dao 2023)."""

    low: float = 1e-3
    high: float = 1e-1

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """See `Start.values`."""
        span = log(self.high) - log(self.low)
        step = torch.exp(uniform(keys, counters) * span + log(self.low))
        return step + torch.log(-torch.expm1(-step))


@dataclass(frozen=True)
class LogStateIndex(_Elementwise):
    """Mamba's log of -A: log(1 … states) in every channel, S4D-real (Gu & Dao 2023)."""

    states: int

    def values(self, keys: Tensor, counters: Tensor, settings: Mapping[str, Tensor]) -> Tensor:
        """See `Start.values`."""
        return torch.log(counters % self.states + 1.0).double().expand(len(keys), -1)
