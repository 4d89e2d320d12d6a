"""The parent's side of a contestant, and the rounds in which contestants take turns."""

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from geomem.bench.throughput.contestants import Contestant, Losses
from geomem.bench.throughput.worker import Failure, Message, Ready, Window, serve

PATIENCE_SECONDS = 5.0
SLOWER = 5
LONGEST_SECONDS = 900.0


class Broken(Exception):
    """A contestant cannot go on; the message says why."""


class Runner:
    """The processes of a contestant, started at once; to be closed."""

    def __init__(self, contestant: Contestant) -> None:
        self.name, self.side = contestant.name, contestant.side
        self.precision = contestant.precision
        self.rates: list[float] = []
        self.cpu_seconds: list[float] = []  # of all processes, for a member-step
        self.peak_bytes = 0
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for job in contestant.jobs:
            here, there = context.Pipe()
            process = context.Process(target=serve, args=(there, job), daemon=True)
            process.start()
            there.close()
            self._pipes.append(here)
            self._processes.append(process)

    def ready(self) -> Losses:
        """Wait until every process has checked its losses; raises Broken."""
        losses: Losses = {}
        for pipe in self._pipes:
            message = _receive(pipe)
            assert isinstance(message, Ready)
            losses |= message.losses
        return losses

    def window(self, seconds: float) -> float:
        """Train for that long; return member-steps per second of all processes; raises Broken."""
        for pipe in self._pipes:
            pipe.send(seconds)
        windows = [_receive(pipe) for pipe in self._pipes]
        assert all(isinstance(window, Window) for window in windows)
        found = [window for window in windows if isinstance(window, Window)]
        self.peak_bytes = sum(window.peak_bytes for window in found)
        self.cpu_seconds.append(
            sum(w.cpu_seconds for w in found) / sum(w.member_steps for w in found)
        )
        return sum(window.member_steps / window.seconds for window in found)

    def close(self) -> None:
        """End the processes: those that wait go by themselves."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(PATIENCE_SECONDS)
            process.terminate()
            process.join()


def _receive(pipe: Connection) -> Message:
    if not pipe.poll(LONGEST_SECONDS):
        raise Broken(f"failed: nothing heard of it for {LONGEST_SECONDS:.0f} s")
    try:
        message: Message = pipe.recv()
    except (EOFError, ConnectionResetError) as error:
        raise Broken("failed: its process ended") from error
    if isinstance(message, Failure):
        raise Broken(message.reason)
    return message


def take_turns(
    runners: Sequence[Runner], seconds: float, rounds: range, in_time: Callable[[], bool]
) -> dict[str, str]:
    """Fill `rates`: a window each per round, in an order that turns about.

    rounds: at least its start and at most its stop, as long as there is time. A window before
    them is for warmth; a peer that is SLOWER in it than the best of its side takes no part, and
    what is returned says so under its name.
    """
    first = {runner.name: runner.window(seconds) for runner in runners}
    slow: dict[str, str] = {}
    for runner in runners:
        best = max(first[r.name] for r in runners if r.side == runner.side)
        if runner.side != "geomem" and first[runner.name] * SLOWER < best:
            rate = first[runner.name]
            slow[runner.name] = f"left out: {rate:.3g} steps/s, the best of its side has {best:.3g}"
    order = [runner for runner in runners if runner.name not in slow]
    for done in range(rounds.stop):
        if done >= rounds.start and not in_time():
            break
        for runner in order:
            runner.rates.append(runner.window(seconds))
        order.reverse()
    return slow
