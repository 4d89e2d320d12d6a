"""A contestant's process: it trains in windows, and between them it waits for its parent."""

import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch

from geomem.bench.machine import peak_bytes
from geomem.bench.throughput.contestants import Job, Losses
from geomem.bench.variants import describe


@dataclass(frozen=True)
class Ready:
    """The first losses; the timed training has done a step."""

    losses: Losses


@dataclass(frozen=True)
class Window:
    """Member-steps in seconds of the clock and of all CPUs, and the peak of the memory so far."""

    member_steps: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Failure:
    """Why there is nothing more to come."""

    reason: str


Message = Ready | Window | Failure


class _Moment(NamedTuple):
    member_steps: int
    seconds: float
    cpu_seconds: float

    def plus(self, other: "_Moment", sign: int = 1) -> "_Moment":
        return _Moment(
            self.member_steps + sign * other.member_steps,
            self.seconds + sign * other.seconds,
            self.cpu_seconds + sign * other.cpu_seconds,
        )


_NOTHING = _Moment(0, 0.0, 0.0)


class Gate:
    """Where training reports to: ends a window when it is long enough, and waits for the next."""

    def __init__(self, connection: Connection, losses: Losses, device: str, before: int) -> None:
        self._connection, self._losses, self._device = connection, losses, device
        self._before = before
        self._window: float | None = None
        self._start: _Moment | None = None  # of the span of the window that this run is in
        self._span = self._earlier = _NOTHING

    def report(self, member_steps: int) -> None:
        """Note that so many member-steps of a run are done."""
        now = _now(member_steps)
        if self._window is None:
            self._wait(member_steps, Ready(self._losses))
        elif self._start is None:
            self._start = now
        else:
            self._span = now.plus(self._start, -1)
            found = self._earlier.plus(self._span)
            if found.seconds >= self._window:
                peak = peak_bytes(self._device) - self._before
                self._wait(member_steps, Window(*found, peak))

    def begin_anew(self) -> None:
        """Go on with another run; what lies between the runs is in no window."""
        self._earlier, self._start = self._earlier.plus(self._span), None
        self._span = _NOTHING

    def _wait(self, member_steps: int, message: Message) -> None:
        self._connection.send(message)
        self._window = self._connection.recv()
        self._span = self._earlier = _NOTHING
        self._start = _now(member_steps)


def _now(member_steps: int) -> _Moment:
    return _Moment(member_steps, time.perf_counter(), time.process_time())


def serve(connection: Connection, job: Job) -> None:
    """Show the first losses, then train in windows until the parent is gone."""
    torch.set_num_threads(job.threads)
    torch.set_flush_denormal(True)  # as geomem does while it trains, and for its peers alike
    before = peak_bytes(job.device)
    try:
        gate = Gate(connection, job.check(), job.device, before)
        while True:
            job.train(gate.report)
            gate.begin_anew()
    except (EOFError, ConnectionResetError, BrokenPipeError):
        return
    except Exception as error:
        connection.send(Failure(describe(error)))
