"""Steps of a stack as one CUDA graph: the host launches once for all that they consist of."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import Protocol

import torch
from torch import Tensor

from geomem.train.stack.batches import Part, tensors_of, with_tensors

GRAPH_STEPS = 8  # steps of one graph; single steps end a block that is no multiple of it
AHEAD = 2  # calls that the host may be ahead of the device
WARM_CALLS = 2  # without a graph first: one to set up, one laid out as the graph will be


@dataclass
class _Recorded:
    """A graph and the tensors that it reads: its own, or (kept) those of the task, in place."""

    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    kept: list[bool]
    rates: Tensor

    def serves(self, tensors: Sequence[Tensor]) -> bool:
        """Whether those of the task still are the very ones; they are not ours to write to."""
        known = zip(self.inputs, tensors, self.kept, strict=True)
        return all(mine is new for mine, new, kept in known if kept)

    def replay(self, tensors: Sequence[Tensor], rates: Tensor) -> None:
        for mine, new, kept in zip(self.inputs, tensors, self.kept, strict=True):
            if not kept:
                mine.copy_(new)
        self.rates.copy_(rates)
        self.graph.replay()


@dataclass
class _Warming:
    """The calls of a shape before there is a graph: how many, and the tensors of the last."""

    calls: int
    tensors: list[Tensor]


class Steps(Protocol):
    """What `Replay` records: steps whose changes, counts included, stand on the device."""

    def each(self, batches: Sequence[Sequence[Part]], rates: Tensor) -> None:
        """Do one step per batch; rates: [steps, K]."""
        ...


class Replay:
    """Does what `each` does; after a few calls of one shape, by a graph recorded of it."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._pool = torch.cuda.graph_pool_handle()
        self._side = _side_stream(torch.cuda.current_device())
        self._done: deque[torch.cuda.Event] = deque()
        self._recorded: dict[object, _Recorded] = {}
        self._warming: dict[object, _Warming] = {}

    def __call__(self, batches: Sequence[Sequence[Part]], rates: Tensor) -> None:
        """See `Steps.each`."""
        tensors = tensors_of(batches)
        shape = (len(rates), *(tuple(t.shape) for t in tensors))
        recorded = self._recorded.get(shape)
        if recorded is not None and not recorded.serves(tensors):
            recorded = None
            del self._recorded[shape]  # of another stage, whose examples are of the same shapes
            if not self._recorded:  # memory of graphs that are all gone takes no new ones
                self._pool = torch.cuda.graph_pool_handle()
        if recorded is None:
            recorded = self._prepared(shape, batches, tensors, rates)
        if recorded is not None:
            recorded.replay(tensors, rates)
        self._keep_pace()

    def _keep_pace(self) -> None:
        """Wait until at most AHEAD calls are under way.

        A host that queues more gains nothing, and whoever waits for the device next (to report, to
        stop, to save) would wait for all of them.
        """
        event = torch.cuda.Event()
        event.record()
        self._done.append(event)
        if len(self._done) > AHEAD:
            self._done.popleft().synchronize()

    def _prepared(
        self,
        shape: object,
        batches: Sequence[Sequence[Part]],
        tensors: list[Tensor],
        rates: Tensor,
    ) -> _Recorded | None:
        """Record a graph of warm kernels, or do the steps without one."""
        before = self._warming.pop(shape, None) or _Warming(0, [])
        # A tensor that is the very one of the call before is part of the task, not of the batch.
        kept = [new is old for new, old in zip_longest(tensors, before.tensors)]
        # Laid out as they will be in the graph: kernels are made for strides and alignment, too.
        inputs = [t if own else _copy(t) for t, own in zip(tensors, kept, strict=True)]
        given, own_rates = with_tensors(batches, inputs), rates.clone()
        if before.calls >= WARM_CALLS:
            graph = torch.cuda.CUDAGraph()
            torch.cuda.synchronize()
            with torch.cuda.graph(graph, pool=self._pool, stream=self._side):
                self._steps.each(given, own_rates)
            found = self._recorded[shape] = _Recorded(graph, inputs, kept, own_rates)
            return found
        self._warming[shape] = _Warming(before.calls + 1, tensors)
        self._side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._side):  # as capturing will
            self._steps.each(given, own_rates)
        torch.cuda.current_stream().wait_stream(self._side)
        return None


@cache
def _side_stream(device: int) -> torch.cuda.Stream:
    """One for each device: every stream has memory of its own, for products and for tensors."""
    return torch.cuda.Stream(device)


def _copy(t: Tensor) -> Tensor:
    return t.clone(memory_format=torch.contiguous_format)
