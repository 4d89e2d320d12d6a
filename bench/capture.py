"""CUDA graphs of calls over rotating argument sets."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from geomem.bench.clock import EventTimer, HostTimer, Timer
from geomem.bench.variants import Call, is_out_of_memory

WARM_CALLS = 3
WARM_SECONDS = 1.0
T = TypeVar("T")


class Stage:
    """The stream and the memory pool that all graphs of a point share.

    Graphs of one pool may overwrite each other's results: they are replayed one at a time, and
    nobody reads what they leave.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        if device == "cuda":
            self.stream = torch.cuda.Stream()
            self._pool = torch.cuda.graph_pool_handle()

    def timer(self, calls: Sequence[Call], capturable: bool, last_chance: bool = False) -> Timer:
        """Return a timer of the calls: a graph where it can be, else events or the host clock.

        Where memory runs out the exception goes through, except at the last chance: a graph
        holds on to more than the calls do.
        """
        if self.device != "cuda":
            return HostTimer(calls)
        self._warm(calls)
        if not capturable:
            return self._plain(calls, "events")
        try:
            return self._graph(calls)
        except Exception as error:
            if is_out_of_memory(error) and not last_chance:
                raise
        torch.cuda.synchronize()
        self._pool = torch.cuda.graph_pool_handle()  # what the failed capture held may be lost
        return self._plain(calls, "events (capture failed)")

    def prepare(self, make: Sequence[Callable[[], T]]) -> list[T]:
        """Run functions on the stream of the graphs, so that autograd goes backward on it."""
        if self.device != "cuda":
            return [one() for one in make]
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            made = [one() for one in make]
        self.stream.synchronize()
        return made

    def _warm(self, calls: Sequence[Call]) -> None:
        self.stream.wait_stream(torch.cuda.current_stream())
        start, done = time.monotonic(), 0
        while done < WARM_CALLS and (not done or time.monotonic() - start < WARM_SECONDS):
            with torch.cuda.stream(self.stream):
                calls[done % len(calls)]()
            self.stream.synchronize()
            done += 1

    def _plain(self, calls: Sequence[Call], how: str) -> Timer:
        def start_round() -> None:
            for call in calls:
                call()

        return EventTimer(start_round, len(calls), self.stream, how)

    def _graph(self, calls: Sequence[Call]) -> Timer:
        torch.cuda.empty_cache()  # what the warm calls left cannot serve the graph's own pool
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self.stream):
            for call in calls:
                call()
        return EventTimer(graph.replay, len(calls), self.stream, "graph")
