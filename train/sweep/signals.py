"""Signals that end a sweep: the first politely, the second at once."""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


class SecondSignal(BaseException):
    """Raised in the main thread by the second signal."""


class Interruption:
    """Whether a signal came, its name, and a descriptor that becomes readable with it."""

    def __init__(self, wake: int) -> None:
        self.wake = wake
        self.name: str | None = None
        self._count = 0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        del frame
        self._count += 1
        self.name = signal.Signals(number).name
        if self._count == 2:  # from the third on the second is being obeyed
            raise SecondSignal


@contextlib.contextmanager
def catch_signals() -> Iterator[Interruption]:
    """Turn SIGINT, SIGTERM, SIGUSR1 and SIGHUP into an Interruption, unless they are ignored."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    interruption = Interruption(readable)
    old_wake = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    old = {n: signal.getsignal(n) for n in _SIGNALS if signal.getsignal(n) != signal.SIG_IGN}
    try:
        for number in old:
            signal.signal(number, interruption.handle)
        yield interruption
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_wake)
        os.close(readable)
        os.close(writable)
