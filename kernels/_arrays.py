"""One launch over several arrays [K, P]: a program is told of all of them and finds its own.

Import only where Triton is installed.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN202

from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

import triton
import triton.language as tl

MOST = 16  # arrays of a launch, whose addresses go along with it
SMALL = 256  # elements of a member up to which one warp takes them all


class Batch(NamedTuple):
    """Arrays that share a launch.

    places: which of all arrays; sizes: elements P of a member in each; starts: the first program of
    each; programs: of all; options: elements of a program and its warps, two loads for a thread.
    """

    places: list[int]
    sizes: tuple[int, ...]
    starts: tuple[int, ...]
    programs: int
    options: dict[str, int]


def batches(K: int, sizes: Sequence[int]) -> Iterator[Batch]:
    """Divide arrays by size and alignment: the worst of a launch decides how all are read."""
    kinds: dict[tuple[bool, bool], list[int]] = {}
    for place, P in enumerate(sizes):
        kinds.setdefault((P <= SMALL, P % 16 == 0), []).append(place)
    for (small, _), places in kinds.items():
        options = {"BLOCK": SMALL, "num_warps": 1} if small else {"BLOCK": 1024, "num_warps": 4}
        for at in range(0, len(places), MOST):
            yield _batch(K, sizes, places[at : at + MOST], options)


def _batch(K: int, sizes: Sequence[int], places: list[int], options: dict[str, int]) -> Batch:
    starts = [0]
    for place in places:
        starts.append(starts[-1] + K * ceil(sizes[place] / options["BLOCK"]))
    own = tuple(sizes[place] for place in places)
    return Batch(places, own, tuple(starts[:-1]), starts[-1], options)


@triton.jit
def pick(values, starts, program, N: tl.constexpr):
    """Of N values the one that belongs to a program."""
    found = values[0]
    for j in tl.static_range(1, N):
        found = tl.where(program >= starts[j], values[j], found)
    return found


@triton.jit
def locate(sizes, starts, program, N: tl.constexpr, BLOCK: tl.constexpr):
    """Member, first element and size of a program's array."""
    P = pick(sizes, starts, program, N)
    own, blocks = program - pick(starts, starts, program, N), tl.cdiv(P, BLOCK)
    return (own // blocks).to(tl.int64), (own % blocks).to(tl.int64) * BLOCK, P
