"""Batches and dropout from counter-based streams: step s of a run is the same in every stack."""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor

from geomem.kernels import dropout
from geomem.kernels.streams import permutation, stream_keys


class EpochStream:
    """Endless order of a table's rows, reshuffled each epoch and for each member.

    Batch s holds places [s B, (s + 1) B) of the endless order; it may span epochs.
    """

    def __init__(
        self, seeds: Sequence[int], purpose: str, size: int, batch: int, device: torch.device
    ) -> None:
        self._keys = stream_keys(seeds, purpose, device)
        self._size, self._batch = size, batch
        self._orders: dict[int, Tensor] = {}

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._orders:
            self._orders = {e: o for e, o in self._orders.items() if e == epoch - 1}
            self._orders[epoch] = permutation(self._keys, self._size, epoch)
        return self._orders[epoch]

    def batch(self, step: int) -> Tensor:
        """Return the table rows of a step, int64 [K, B]."""
        place, stop = step * self._batch, (step + 1) * self._batch
        parts = []
        while place < stop:
            epoch, offset = divmod(place, self._size)
            take = min(stop - place, self._size - offset)
            parts.append(self._order(epoch)[:, offset : offset + take])
            place += take
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


class EpochStreams:
    """EpochStream of members whose tables differ in size; sizes: rows of each member's table."""

    def __init__(
        self,
        seeds: Sequence[int],
        purpose: str,
        sizes: Sequence[int],
        batch: int,
        device: torch.device,
    ) -> None:
        self._streams = []
        for size, members in groupby(range(len(sizes)), key=lambda k: sizes[k]):
            own = [seeds[k] for k in members]
            self._streams.append(EpochStream(own, purpose, size, batch, device))

    def batch(self, step: int) -> Tensor:
        """See `EpochStream.batch`."""
        parts = [stream.batch(step) for stream in self._streams]
        return torch.cat(parts) if len(parts) > 1 else parts[0]


_SITE_BITS = 10  # calls in a step; beside those of elements, 24 of 64 are left to count steps


class DropoutStream:
    """Dropout of one step, int64 []: every call is the next site, with its own counters."""

    def __init__(self, keys: Tensor, rates: Tensor, step: Tensor) -> None:
        self._keys, self._rates = keys, rates
        # All at once: each of a GPU's launches for one number takes as long as for many.
        self._sites = (step << _SITE_BITS) + torch.arange(1 << _SITE_BITS, device=step.device)
        self._calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        """Zero elements of x [K, ...] at each member's rate and scale the rest up."""
        site = self._sites[self._calls]
        self._calls += 1
        return dropout(x, self._keys, self._rates, site)
