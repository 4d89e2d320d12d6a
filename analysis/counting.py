"""How far a longer analysis is, on stderr."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

from geomem.train.sweep.words import duration, plural

FIRST_SECONDS, LINE_SECONDS = 2.0, 10.0


@contextlib.contextmanager
def counted(
    total: int, did: str = "measured", what: str = "run"
) -> Iterator[Callable[[int], None]]:
    """What it yields is called with how many more runs, or what else is counted, are done.

    A line is shown after two seconds, then every ten and at the end; what is quick stays silent.
    """
    begin, done, lines, over = time.monotonic(), [0], [0], threading.Event()

    def add(count: int) -> None:
        done[0] += count

    def tell() -> None:
        so_far = f"{done[0]:,} of {plural(total, what)}"
        lines[0] += 1
        with contextlib.suppress(OSError, ValueError):  # nobody listens any more
            line = f"{did} {so_far}, {duration(time.monotonic() - begin)}"
            print(line, file=sys.stderr, flush=True)

    def watch() -> None:
        seconds = FIRST_SECONDS
        while not over.wait(seconds):
            tell()
            seconds = LINE_SECONDS

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield add
    finally:
        over.set()
        thread.join()
    if lines[0]:
        tell()
