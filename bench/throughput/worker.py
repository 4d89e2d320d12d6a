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


class Gate:
    """Where training reports to: ends a window when it is long enough, and waits for the next."""

    def __init__(self, connection: Connection, losses: Losses, device: str, before: int) -> None:
        self._connection, self._losses, self._device = connection, losses, device
        self._before = before
        self._window: float | None = None
        self._start: _Moment | None = None

    def report(self, member_steps: int) -> None:
        """Note that so many member-steps are done."""
        now = _Moment(member_steps, time.perf_counter(), time.process_time())
        if self._window is None:
            self._wait(member_steps, Ready(self._losses))
        elif self._start is None:
            self._start = now
        elif now.seconds - self._start.seconds >= self._window:
            steps = member_steps - self._start.member_steps
            seconds = now.seconds - self._start.seconds
            cpu_seconds = now.cpu_seconds - self._start.cpu_seconds
            self._wait(
                member_steps,
                Window(steps, seconds, cpu_seconds, peak_bytes(self._device) - self._before),
            )

    def begin_anew(self) -> None:
        """Forget the window so far: the run is over, and the next one has to be built."""
        self._start = None

    def _wait(self, member_steps: int, message: Message) -> None:
        self._connection.send(message)
        self._window = self._connection.recv()
        self._start = _Moment(member_steps, time.perf_counter(), time.process_time())


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
