"""One launch over several arrays [K, P]: a program is told of all of them and finds its own.

Import only where Triton is installed.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN202

from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

import torch
import triton
import triton.language as tl

MOST = 16  # arrays of a launch, whose addresses go along with it
SMALL = 256  # elements of a member up to which one warp takes them all


class Batch(NamedTuple):
    """Arrays that share a launch.

    places: which of all arrays; sizes: elements P of a member in each; blocks: programs of a
    member; options: elements of a program and its warps, two loads for a thread.
    """

    places: list[int]
    sizes: tuple[int, ...]
    blocks: int
    options: dict[str, int]


def batches(sizes: Sequence[int], dtypes: Sequence[torch.dtype]) -> Iterator[Batch]:
    """Divide arrays by size, alignment and dtype: a launch reads all as it does the worst."""
    kinds: dict[tuple[bool, bool, torch.dtype], list[int]] = {}
    for place, (P, dtype) in enumerate(zip(sizes, dtypes, strict=True)):
        kinds.setdefault((P <= SMALL, P % 16 == 0, dtype), []).append(place)
    for (small, _, _), places in kinds.items():
        options = {"BLOCK": SMALL, "num_warps": 1} if small else {"BLOCK": 1024, "num_warps": 4}
        for at in range(0, len(places), MOST):
            some = places[at : at + MOST]
            own = tuple(sizes[place] for place in some)
            yield Batch(some, own, sum(ceil(P / options["BLOCK"]) for P in own), options)


@triton.jit
def locate(sizes, K, program, N: tl.constexpr, BLOCK: tl.constexpr):
    """Array of a program, the first program of it, and its size."""
    array, first, end, P = 0, 0, K * tl.cdiv(sizes[0], BLOCK), sizes[0]
    for j in tl.static_range(1, N):
        past = program >= end
        array, first = tl.where(past, j, array), tl.where(past, end, first)
        P = tl.where(past, sizes[j], P)
        end += K * tl.cdiv(sizes[j], BLOCK)
    return array, first, P


@triton.jit
def pick(values, array, N: tl.constexpr):
    """Of one value for each array that of one of them."""
    found = values[0]
    for j in tl.static_range(1, N):
        found = tl.where(array >= j, values[j], found)
    return found


@triton.jit
def row(tensors, strides, array, k, start, N: tl.constexpr):
    """Where the elements of member k from `start` on stand in an array."""
    return pick(tensors, array, N) + k * pick(strides, array, N) + start
