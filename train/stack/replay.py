"""Steps of a stack as one CUDA graph: the host launches once for all that they consist of."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from geomem.kernels import Targets
from geomem.models import Segment
from geomem.train.stack.batches import Part
from geomem.train.stack.step import Step

GRAPH_STEPS = 8  # steps of one graph; single steps end a block that is no multiple of it
WARM_CALLS = 3  # done without a graph first: kernels are compiled and libraries set up in them


def tensors_of(batches: Sequence[Sequence[Part]]) -> list[Tensor]:
    """Return every tensor of the parts, in a fixed order."""
    found: list[Tensor] = []
    for part in (part for parts in batches for part in parts):
        targets = part.targets if isinstance(part.targets, Targets) else (part.targets,)
        found += [getattr(part.segment, name) for name in _tensor_fields(part.segment)]
        found += targets
    return found


def _tensor_fields(segment: Segment) -> list[str]:
    return [f.name for f in fields(segment) if isinstance(getattr(segment, f.name), Tensor)]


def with_tensors(batches: Sequence[Sequence[Part]], tensors: Sequence[Tensor]) -> list[list[Part]]:
    """Return the parts with other tensors, in the order of `tensors_of`."""
    rest = iter(tensors)

    def rebuilt(part: Part) -> Part:
        own: dict[str, Any] = {name: next(rest) for name in _tensor_fields(part.segment)}
        segment = replace(part.segment, **own)
        if isinstance(part.targets, Targets):
            return Part(segment, Targets(next(rest), next(rest), next(rest)))
        return Part(segment, next(rest))

    return [[rebuilt(part) for part in parts] for parts in batches]


@dataclass
class _Recorded:
    """A graph and the tensors that it reads; those that never change are read in place."""

    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    rates: Tensor

    def replay(self, tensors: Sequence[Tensor], rates: Tensor) -> None:
        for mine, new in zip(self.inputs, tensors, strict=True):
            if mine is not new:
                mine.copy_(new)
        self.rates.copy_(rates)
        self.graph.replay()


class Replay:
    """Does what `Step.each` does; after a few calls of one shape, by a graph recorded of it."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._pool = torch.cuda.graph_pool_handle()
        self._recorded: dict[object, _Recorded] = {}
        self._seen: dict[object, list[Tensor]] = {}
        self._calls: dict[object, int] = {}

    def __call__(self, batches: Sequence[Sequence[Part]], rates: Tensor) -> None:
        """See `Step.each`."""
        tensors = tensors_of(batches)
        shape = (len(rates), *(tuple(t.shape) for t in tensors))
        if shape not in self._recorded and self._calls.get(shape, 0) >= WARM_CALLS:
            self._recorded[shape] = self._record(batches, tensors, rates, self._seen.pop(shape))
        if shape in self._recorded:
            self._recorded[shape].replay(tensors, rates)
            return
        self._calls[shape] = self._calls.get(shape, 0) + 1
        self._seen[shape] = tensors
        self._aside(batches, rates)

    def _aside(self, batches: Sequence[Sequence[Part]], rates: Tensor) -> None:
        """Train on a stream of its own, as capturing will."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self._step.each(batches, rates)
        torch.cuda.current_stream().wait_stream(side)

    def _record(
        self,
        batches: Sequence[Sequence[Part]],
        tensors: Sequence[Tensor],
        rates: Tensor,
        before: Sequence[Tensor],
    ) -> _Recorded:
        # A tensor that is the very one of the call before is part of the task, not of the batch.
        pairs = zip(tensors, before, strict=True)
        inputs = [new if new is old else new.clone() for new, old in pairs]
        own_rates = rates.clone()
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, pool=self._pool):
            self._step.each(with_tensors(batches, inputs), own_rates)
        return _Recorded(graph, inputs, own_rates)
