"""How fast workers train a stack, all of them at once, in processes as a sweep has them."""

import selectors
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from geomem.train.config import RunConfig, run_id
from geomem.train.errors import GeomemError
from geomem.train.sweep import protocol
from geomem.train.sweep.errors import EngineError
from geomem.train.sweep.process import Worker
from geomem.train.sweep.signals import Interruption
from geomem.train.sweep.slots import Slots

_TICK_SECONDS = 0.2


class CannotTrainError(GeomemError):
    """A stack that cannot be trained; `memory` tells whether a smaller one might."""

    def __init__(self, cause: str, memory: bool) -> None:
        self.memory = memory
        super().__init__(cause)


class StoppedError(GeomemError):
    """A signal came in the middle of a measurement."""


@dataclass
class _Track:
    """What one worker reported: times in seconds, counts in member-steps."""

    worker: Worker
    first: tuple[float, int] | None = None
    last: tuple[float, int] = (0.0, 0)
    whole_steps: int = 0
    whole_seconds: float = 0.0
    idle: bool = False

    def stepped(self, steps: int) -> None:
        self.last = (time.monotonic(), steps)
        self.first = self.first or self.last

    def finished(self, steps: int, seconds: float) -> None:
        """A whole stack is done: with its beginning and its end, as a sweep pays for it."""
        self.whole_steps += steps
        self.whole_seconds += seconds
        self.first = None

    @property
    def seconds(self) -> float:
        """How long this was looked at."""
        running = self.last[0] - self.first[0] if self.first else 0.0
        return max(self.whole_seconds, running)

    @property
    def rate(self) -> float:
        """Member-steps per second: of whole stacks if there was time for some."""
        if self.whole_seconds:
            return self.whole_steps / self.whole_seconds
        assert self.first
        return (self.last[1] - self.first[1]) / (self.last[0] - self.first[0])


class Gauge:
    """Workers for `slots`, started when they are first needed and kept for the next stack."""

    def __init__(
        self,
        slots: Slots,
        folder: Path,
        signal: Interruption,
        command: Sequence[str],
        compile: bool = False,
    ) -> None:
        self._slots, self._folder = slots, folder
        self._signal, self._command, self._compile = signal, command, compile
        self._workers: list[Worker] = []
        self._jobs = 0

    def rate(self, runs: Sequence[RunConfig], seconds: float) -> float:
        """Member-steps per second of all workers, each with a stack of these runs.

        Looked at for so many seconds from the first reports on; on a GPU twice, as the first time
        goes into compiling kernels. Raises CannotTrainError, StoppedError, EngineError if a worker
        does not even start.
        """
        if not self._workers:
            self._start()
        if self._slots.device != "cpu":
            self._look(runs, seconds)
        return self._look(runs, seconds)

    def _look(self, runs: Sequence[RunConfig], seconds: float) -> float:
        tracks = [_Track(worker) for worker in self._workers]
        try:
            with _listening(tracks, self._signal) as selector:
                for track in tracks:
                    track.worker.send(self._job(runs))
                self._follow(tracks, selector, runs, seconds)
        except GeomemError:
            self.close()  # memory may be in pieces, and others are still at work
            raise
        return sum(track.rate for track in tracks)

    def close(self) -> None:
        """End the workers."""
        while self._workers:
            self._workers.pop().dismiss()

    def _start(self) -> None:
        for slot in range(self._slots.count):
            log = self._folder / f"worker-{slot + 1}.log"
            self._workers.append(Worker(self._command, self._slots.environment(slot), log))

    def _job(self, runs: Sequence[RunConfig]) -> protocol.Job:
        self._jobs += 1
        stack = protocol.StackJob(
            stack=f"{self._jobs:016x}",
            attempt=0,
            runs=[run_id(run) for run in runs],
            configs=[run.model_dump(mode="json") for run in runs],
            pack=str(self._folder / f"{self._jobs:016x}-00000000.safetensors"),
        )
        return protocol.Job(
            stacks=[stack],
            checkpoint=None,
            checkpoint_seconds=1e9,
            parameters=False,
            device=self._slots.device,
            threads=self._slots.threads,
            compile=self._compile,
        )

    def _follow(
        self,
        tracks: list[_Track],
        selector: selectors.BaseSelector,
        runs: Sequence[RunConfig],
        seconds: float,
    ) -> None:
        stopping = False
        while not all(track.idle for track in tracks):
            for key, _ in selector.select(_TICK_SECONDS):
                if key.data:
                    self._hear(key.data, stopping)
            if self._signal.name:
                raise StoppedError(f"interrupted by {self._signal.name}")
            if stopping:
                continue
            stopping = all(track.seconds >= seconds for track in tracks)
            for track in tracks:
                if stopping and not track.idle:
                    track.worker.ask_to_stop()
                elif track.idle and not stopping:
                    track.idle = False
                    track.worker.send(self._job(runs))

    def _hear(self, track: _Track, stopping: bool) -> None:
        messages = track.worker.receive()
        if messages is None:
            self._lost(track)
        for message in messages or ():
            match message:
                case protocol.Ready():
                    track.worker.is_ready = True
                case protocol.Step(steps, _) if not stopping:
                    track.stepped(steps)
                case protocol.Stopped():
                    track.idle = True
                case protocol.Done([event]):
                    (self._folder / str(event["pack"])).unlink(missing_ok=True)
                    track.idle = True
                    if not stopping:
                        track.finished(event["member_steps"], event["wall_seconds"])
                case protocol.Failure(kind, cause):
                    raise CannotTrainError(cause, kind == "memory")

    def _lost(self, track: _Track) -> None:
        cause: str = track.worker.end()
        if not track.worker.is_ready:
            raise EngineError(f"{cause} before it was ready; it said:\n{track.worker.tail()}")
        # Linux ends a process with SIGKILL when memory runs out.
        raise CannotTrainError(cause, memory="SIGKILL" in cause)


@contextmanager
def _listening(tracks: Sequence[_Track], signal: Interruption) -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as selector:
        selector.register(signal.wake, selectors.EVENT_READ)
        for track in tracks:
            selector.register(track.worker, selectors.EVENT_READ, track)
        yield selector
