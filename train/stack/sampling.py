"""Batches and dropout from counter-based streams: step s of a run is the same in every stack."""

from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from torch import Tensor

from geomem.kernels import dropout
from geomem.kernels.streams import permutations, stream_keys
from geomem.train.tasks.ahead import AT_ONCE, BLOCKS, epochs_of_block


class Ring:
    """Rows of an endless sequence, drawn a block at a time to places that later blocks reuse.

    Step s has rows [s batch, (s + 1) batch) of the sequence, of one block or two. `prepare` draws;
    what `batch` then does depends on nothing but the step, so that a CUDA graph can do it.
    draw: rows [K, size, ...] of block 0, 1, ...; size: those of AT_ONCE steps at least.
    """

    def __init__(
        self, draw: Callable[[int], Tensor], size: int, batch: int, device: torch.device
    ) -> None:
        assert size >= AT_ONCE * batch
        self._draw, self._size, self._batch = draw, size, batch
        self._held = [-1] * BLOCKS
        self._rows: Tensor | None = None  # [K, BLOCKS, size, ...]
        self._places = torch.arange(batch, device=device)

    def prepare(self, step: int, count: int) -> None:
        """Have the rows of steps step, ..., step + count - 1 in their places; AT_ONCE at most."""
        assert count <= AT_ONCE
        first, stop = step * self._batch, (step + count) * self._batch
        for block in range(first // self._size, (stop - 1) // self._size + 1):
            place = block % BLOCKS
            if self._held[place] != block:
                drawn = self._draw(block)
                if self._rows is None:
                    K, *shape = drawn.shape
                    self._rows = drawn.new_empty(K, BLOCKS, *shape)
                self._rows[:, place] = drawn
                self._held[place] = block

    def batch(self, step: int | Tensor) -> Tensor:
        """Return the rows of a step, [K, batch, ...]; a step int64 [] has to be prepared."""
        if isinstance(step, int):
            self.prepare(step, 1)
        assert self._rows is not None
        rows = self._rows.flatten(1, 2)
        at = torch.add(self._places, step, alpha=self._batch)
        return rows.index_select(1, at % rows.shape[1])


class EpochStream(Ring):
    """Order of a table's rows, int64 [K, batch], reshuffled each epoch and for each member."""

    def __init__(
        self, seeds: Sequence[int], purpose: str, size: int, batch: int, device: torch.device
    ) -> None:
        keys, epochs = stream_keys(seeds, purpose, device), epochs_of_block(size, batch)

        def draw(block: int) -> Tensor:
            return permutations(keys, size, block * epochs, epochs).flatten(1)

        super().__init__(draw, epochs * size, batch, device)


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

    def prepare(self, step: int, count: int) -> None:
        """See `Ring.prepare`."""
        for stream in self._streams:
            stream.prepare(step, count)

    def batch(self, step: int | Tensor) -> Tensor:
        """See `Ring.batch`."""
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
