"""Steps of a stack as one CUDA graph: the host launches once for all that they consist of."""

from collections import deque
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

AHEAD = 2  # calls that the host may be ahead of the device
WARM_CALLS = 2  # without a graph first: what is prepared once is there for the second


class Steps(Protocol):
    """What `Replay` records: steps that read and change only what stands on the device.

    Counts of steps included; the tensors that they are given are the rates.
    """

    def each(self, rates: Tensor) -> None:
        """Do one step per row of rates, [steps, K]."""
        ...


class Replay:
    """Does what `each` does; after a few calls, by a graph recorded for each number of steps.

    It holds as long as the steps read the same tensors: another stage takes another one.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._pool = torch.cuda.graph_pool_handle()
        self._side = _side_stream(torch.cuda.current_device())
        self._warm_calls = 0
        self._recorded: dict[int, tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        self._done: deque[torch.cuda.Event] = deque()

    def __call__(self, rates: Tensor) -> None:
        """See `Steps.each`."""
        if self._warm_calls < WARM_CALLS:
            self._without_graph(rates)
        else:
            if len(rates) not in self._recorded:
                self._record(rates)
            graph, own_rates = self._recorded[len(rates)]
            own_rates.copy_(rates)
            graph.replay()
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

    def _without_graph(self, rates: Tensor) -> None:
        self._warm_calls += 1
        self._side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._side):  # as capturing will
            self._steps.each(rates)
        torch.cuda.current_stream().wait_stream(self._side)

    def _record(self, rates: Tensor) -> None:
        graph, own_rates = torch.cuda.CUDAGraph(), rates.clone()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._side):
            self._steps.each(own_rates)
        self._recorded[len(rates)] = graph, own_rates


@cache
def _side_stream(device: int) -> torch.cuda.Stream:
    """One for each device: every stream has memory of its own, for products and for tensors."""
    return torch.cuda.Stream(device)
