"""What every kind of point is given to be measured with."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")
NEEDS_CUDA = "skipped: needs a GPU"


@dataclass(frozen=True)
class Means:
    """Where, how long and how: see `session.Request`; `say` takes a line of progress.

    threads: of one process on a CPU, at most.
    """

    device: str
    smoke: bool
    seconds: float
    compiled: bool
    threads: int
    say: Callable[[str], None]


def alone(function: Callable[..., T], *args: object) -> T:
    """Call a function of a module in a fresh process, and return what it returns."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()
