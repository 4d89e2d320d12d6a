"""Showing the numbers of a sweep on stderr: live on a terminal, else a line now and then."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from geomem.train.sweep.lock import Work
from geomem.train.sweep.tally import Display, Tally
from geomem.train.sweep.words import duration, number, printable

_LINE_SECONDS = 10.0
_TELL_SECONDS = 5.0
_FRAME_SECONDS = 0.2


class _Console(Console):
    """A console that stays silent once its reader is gone: the sweep goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Lines:
    """One line now and then, for files and batch systems."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._next = time.monotonic() + _LINE_SECONDS

    def note(self, text: str) -> None:
        """Print a line."""
        say(printable(text))

    def show(self, tally: Tally) -> None:
        """Print a line if the last one is old."""
        if time.monotonic() >= self._next and not self._quiet:
            say(f"{_head(tally)}  {_details(tally)}")
            self._next = time.monotonic() + _LINE_SECONDS


class _Screen:
    """A bar that is redrawn, on a terminal."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._next = 0.0

    def note(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._live.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def show(self, tally: Tally) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _FRAME_SECONDS
        bar = Table.grid(padding=(0, 2))
        bar.add_row(ProgressBar(1.0, tally.share, width=30), Text(_head(tally)))
        with contextlib.suppress(OSError):
            self._live.update(Group(bar, Text(_details(tally), style="dim")), refresh=True)


class Told:
    """Another display, beside which `tell` learns how far the driver is, for `status`."""

    def __init__(self, display: Display, tell: Callable[[Work], None]) -> None:
        self._display, self._tell = display, tell
        self._next = 0.0

    def note(self, text: str) -> None:
        """Pass it on."""
        self._display.note(text)

    def show(self, tally: Tally) -> None:
        """Pass it on, and tell if the last time is a while ago."""
        self._display.show(tally)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL_SECONDS
            self._tell(Work(tally.flying, tally.share, tally.seconds_left))


@contextlib.contextmanager
def display(quiet: bool) -> Iterator[Display]:
    """The right display for this stderr; with `quiet` only notes are shown."""
    console = _Console(stderr=True)
    if quiet or not console.is_terminal:
        yield Lines(quiet)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield _Screen(live)


def say(text: str) -> None:
    """Print to stderr, if anybody still listens."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def _head(tally: Tally) -> str:
    counts = tally.counts
    over = counts["done"] + counts["diverged"] + counts["failed"]
    left = tally.seconds_left
    text = f"{over:,}/{counts.total():,} runs  {tally.share:4.0%}"
    return text + (f"  {duration(left)} left" if left is not None and tally.flying else "")


def _details(tally: Tally) -> str:
    parts = [f"stacks {tally.stacks_over}/{tally.stacks}, {tally.flying} in training"]
    parts += [f"{tally.counts[s]:,} {s}" for s in ("diverged", "failed") if tally.counts[s]]
    if (rate := tally.rate) is not None:
        parts.append(f"{number(rate)} member-steps/s")
    if tally.loss is not None:
        parts.append(f"median loss {tally.loss:.4g}")
    return " · ".join(parts)
