"""The local engine: one worker process per slot, one thread here, no service."""

import contextlib
import os
import selectors
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geomem.train.config.execution import Execution
from geomem.train.sweep import protocol
from geomem.train.sweep.board import Board, Job
from geomem.train.sweep.errors import EngineError, FolderError
from geomem.train.sweep.events import Committed, Group
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.process import Worker
from geomem.train.sweep.signals import Interruption
from geomem.train.sweep.sizing import Sizing
from geomem.train.sweep.slots import Slots
from geomem.train.sweep.tally import Tally

# -P: a module in the user's current folder must not shadow one of ours.
WORKER = (sys.executable, "-P", "-m", "geomem.train.sweep.worker")
_TICK_SECONDS = 0.2
_PATIENCE_SECONDS = 25.0


@dataclass(frozen=True)
class Means:
    """With what a sweep is carried out. `writer` names this driver's logs."""

    slots: Slots
    execution: Execution
    sizing: Sizing
    writer: str
    command: Sequence[str] = WORKER


@dataclass
class _Slot:
    number: int
    log: Path
    worker: Worker | None = None
    job: Job | None = None
    false_starts: int = field(default=0)


class Engine:
    """Trains the stacks of a board, commits them, and leaves no process behind."""

    def __init__(
        self, board: Board, folder: Folder, means: Means, tally: Tally, signal: Interruption
    ) -> None:
        self._board, self._folder, self._means = board, folder, means
        self._tally, self._signal = tally, signal
        self._deadline: float | None = None
        self._disk: str | None = None
        self._selector = selectors.DefaultSelector()
        prefix = "" if means.writer == "main" else f"{means.writer}-"
        self._slots = [
            _Slot(number, folder.logs / f"{prefix}worker-{number + 1}.log")
            for number in range(means.slots.count)
        ]

    def run(self) -> bool:
        """Train until nothing is left, or a signal comes; tell whether nothing is left.

        Raises FolderError or DiskError when the disk refuses, EngineError when no worker starts.
        """
        self._selector.register(self._signal.wake, selectors.EVENT_READ)
        try:
            self._fill()
            while self._busy:
                self._listen()
                self._obey()
                self._fill()
                self._tally.tick()
        finally:
            for slot in self._slots:
                self._dismiss(slot)
            self._selector.close()
        if self._disk:
            raise FolderError(self._disk)
        return len(self._board) == 0

    @property
    def _busy(self) -> list[_Slot]:
        return [slot for slot in self._slots if slot.job]

    def _fill(self) -> None:
        if self._signal.name:
            self._obey()
        for slot in self._slots:
            if slot.job is None and self._deadline is None:
                slot.job = self._board.take()
                if slot.job:
                    self._start(slot)
                else:
                    self._dismiss(slot)

    def _start(self, slot: _Slot) -> None:
        assert slot.job
        resumed = self._folder.checkpoint(slot.job[0].stack).exists()
        steps = sum(self._board.steps(group) for group in slot.job)
        fresh = slot.worker is None
        self._tally.began(slot.number, len(slot.job), steps, resumed, fresh)
        if slot.worker is None:
            environment = self._means.slots.environment(slot.number)
            slot.worker = Worker(self._means.command, environment, slot.log)
            self._selector.register(slot.worker, selectors.EVENT_READ, slot)
        slot.worker.send(self._order(slot.job))

    def _order(self, job: Job) -> protocol.Job:
        execution = self._means.execution
        return protocol.Job(
            stacks=[self._stack(group) for group in job],
            checkpoint=str(self._folder.checkpoint(job[0].stack).absolute()),
            checkpoint_seconds=execution.checkpoint_seconds,
            parameters=execution.parameters,
            compile=execution.compile,
            device=self._means.slots.device,
            threads=self._means.slots.threads,
        )

    def _stack(self, group: Group) -> protocol.StackJob:
        return protocol.StackJob(
            stack=group.stack,
            attempt=group.attempt,
            runs=list(group.runs),
            configs=self._board.configs(group),
            pack=str(self._folder.new_pack(group.stack).absolute()),
        )

    def _listen(self) -> None:
        for key, _ in self._selector.select(_TICK_SECONDS):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._signal.wake, 64)
            else:
                self._hear(key.data)

    def _hear(self, slot: _Slot) -> None:
        messages = slot.worker.receive() if slot.worker else []
        if messages is None:
            self._lost(slot)
            return
        for message in messages:
            self._answer(slot, message)

    def _answer(self, slot: _Slot, message: protocol.Message) -> None:
        match message:
            case protocol.Ready() if slot.worker:
                slot.worker.is_ready, slot.false_starts = True, 0
            case protocol.Step(member_steps, loss):
                self._tally.stepped(slot.number, member_steps, loss)
            case protocol.Done(bodies):
                self._commit(slot, bodies)
            case protocol.Stopped():
                self._return(slot)
            case protocol.Failure(kind, cause):
                self._failed(slot, kind, cause)

    def _commit(self, slot: _Slot, bodies: list[dict[str, object]]) -> None:
        assert slot.job
        events = [Committed.model_validate(body) for body in bodies]
        self._board.commit(slot.job, events)
        self._tally.committed(slot.number, events)
        slot.job = None

    def _return(self, slot: _Slot) -> None:
        if slot.job:
            self._board.put_back(slot.job)
        self._tally.returned(slot.number)
        slot.job = None

    def _separate(self, slot: _Slot, job: Job, cause: str) -> None:
        """What one stack of a job cannot do is no reason to give up the others."""
        self._tally.note(f"{cause}: {len(job)} stacks trained as one go on by themselves")
        self._board.separate(job)
        self._tally.returned(slot.number)
        slot.job = None

    def _failed(self, slot: _Slot, kind: str, cause: str) -> None:
        assert slot.job
        if kind == "disk":
            self._disk = self._disk or cause
            self._return(slot)
            self._stop()
        elif len(slot.job) > 1:
            self._separate(slot, slot.job, "out of memory" if kind == "memory" else cause)
        elif kind == "memory" and self._board.halve(slot.job[0]):
            size = len(slot.job[0].runs)
            self._tally.note(f"out of memory with {size} runs in a stack: going on with halves")
            self._tally.returned(slot.number, split=True)
            slot.job = None
        else:
            self._set_aside(slot, f"out of memory (oom): {cause}" if kind == "memory" else cause)
        # Memory may be in pieces, a CUDA context lost: the next stack gets a fresh process.
        self._dismiss(slot)

    def _lost(self, slot: _Slot) -> None:
        assert slot.worker
        cause, is_ready = slot.worker.end(), slot.worker.is_ready
        tail = slot.worker.tail()
        if slot.job is None or self._deadline is not None:
            self._return(slot)
        elif not is_ready:
            self._false_start(slot, cause, tail)
        elif self._board.died(slot.job):
            self._tally.note(f"{cause}; its stack starts again from its checkpoint")
            self._return(slot)
        elif len(slot.job) > 1:
            self._separate(slot, slot.job, cause)
        else:
            self._set_aside(slot, f"{cause}, more often than execution.retries allows")
        self._dismiss(slot)

    def _false_start(self, slot: _Slot, cause: str, tail: str) -> None:
        slot.false_starts += 1
        if slot.false_starts > self._means.execution.retries:
            raise EngineError(f"{cause} before it was ready; {slot.log} ends with:\n{tail}")
        self._return(slot)

    def _set_aside(self, slot: _Slot, cause: str) -> None:
        assert slot.job
        assert slot.worker
        (group,) = slot.job
        log = f"{self._folder.logs.name}/{slot.log.name}"
        event = self._board.fail(group, cause, log, slot.worker.tail())
        self._tally.failed(slot.number, event, len(group.runs))
        slot.job = None

    def _obey(self) -> None:
        if self._signal.name and self._deadline is None:
            self._tally.note(f"{self._signal.name}: writing checkpoints, once more to stop at once")
            self._stop()
        if self._deadline is not None and time.monotonic() > self._deadline:
            for slot in self._busy:
                self._return(slot)
                self._dismiss(slot)

    def _stop(self) -> None:
        self._deadline = time.monotonic() + _PATIENCE_SECONDS
        for slot in self._busy:
            if slot.worker:
                slot.worker.ask_to_stop()

    def _dismiss(self, slot: _Slot) -> None:
        if slot.worker:
            self._selector.unregister(slot.worker)
            slot.worker.dismiss()
            slot.worker = None
