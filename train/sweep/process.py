"""The driver's side of one worker process."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from geomem.train.packs import DiskError
from geomem.train.packs.atomic import write_all
from geomem.train.sweep import protocol
from geomem.train.sweep.errors import EngineError

_TAIL_BYTES = 4000
_TAIL_LINES = 12


class Worker:
    """A worker in its own session; its stderr is appended to a log.

    Raises DiskError if the log cannot be written, EngineError if the command cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        self.is_ready = False
        self._rest = b""
        try:
            stderr = log.open("ab")
        except OSError as error:
            raise DiskError(log, error) from error
        with stderr:
            self._log_start = stderr.tell()
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env={**os.environ, **environment},
                    start_new_session=True,
                    bufsize=0,
                )
            except OSError as error:
                reason = error.strerror or str(error)
                raise EngineError(f"cannot start a worker, {command[0]}: {reason}") from error

    def fileno(self) -> int:
        """Of the pipe with its messages."""
        assert self._process.stdout
        return self._process.stdout.fileno()

    def send(self, job: protocol.Job) -> None:
        """Hand over a job; a worker that is dying is noticed when its messages end."""
        self._log_start = self.log.stat().st_size
        self._write(protocol.encode(job))

    def ask_to_stop(self) -> None:
        """Let it write a checkpoint and say Stopped."""
        self._write(b"\n")

    def receive(self) -> list[protocol.Message] | None:
        """What it said, after its pipe became readable; None when it is gone."""
        data = os.read(self.fileno(), 1 << 16)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [protocol.decode(line) for line in lines]

    def end(self) -> str:
        """Wait for a worker that is gone, and say how it ended."""
        code = self._process.wait()
        if code >= 0:
            return f"the worker ended with exit status {code}"
        with contextlib.suppress(ValueError):
            return f"the worker was killed by {signal.Signals(-code).name}"
        return f"the worker was killed by signal {-code}"

    def dismiss(self) -> None:
        """Kill it and what it started, and wait."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def tail(self) -> str:
        """The last lines that it logged for its job."""
        with self.log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - _TAIL_BYTES))
            text = log.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-_TAIL_LINES:])

    def _write(self, data: bytes) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            write_all(self._process.stdin.fileno(), data)
