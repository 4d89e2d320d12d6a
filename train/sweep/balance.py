"""Into how many stacks groups of like runs are divided, so that no worker idles at the end."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

SPREAD = 0.1
"""Share of the time of the last worker by which the first may finish before it, if stacks allow."""
_WORTH = 0.99
"""More stacks are taken only for an end that comes this much earlier."""


@dataclass(frozen=True)
class Load:
    """Runs of one key. A stack of n of them costs launch + n * member, in any one unit of time.

    least: members below which a stack is not made smaller for the sake of balance.
    """

    runs: int
    launch: float
    member: float
    least: int = 1

    def sizes(self, parts: int) -> list[int]:
        """Members of each of so many stacks: one more at most, the larger first."""
        size, larger = divmod(self.runs, parts)
        return [size + (i < larger) for i in range(parts)]

    def cost(self, members: int) -> float:
        """Of a stack of so many members."""
        return self.launch + members * self.member


class Slot(NamedTuple):
    """What one worker trains: when it is done, and the groups of its stacks, costliest first."""

    finish: float
    groups: tuple[int, ...]


def balanced_parts(loads: Sequence[Load], parts: Sequence[int], slots: int) -> list[int]:
    """Raise `parts`, the number of stacks of each load, until the slots finish close together.

    Every slot gets a stack if there are runs enough. From then on the costliest stack of the slot
    that finishes last is made smaller, as long as its members are worth their launches. Of what
    was tried, the division that ends first counts, with the fewest stacks.
    """
    parts = _occupied(loads, parts, slots)
    best, end = parts, float("inf")
    while True:
        schedule = schedule_longest_first(loads, parts, slots)
        first, last = min(schedule), max(schedule)
        if last.finish < _WORTH * end:
            best, end = parts, last.finish
        can = [i for i in last.groups if loads[i].runs // (parts[i] + 1) >= loads[i].least]
        if first.finish >= (1 - SPREAD) * last.finish or not can:
            return best
        parts = [count + (i == can[0]) for i, count in enumerate(parts)]


def schedule_longest_first(loads: Sequence[Load], parts: Sequence[int], slots: int) -> list[Slot]:
    """Give each stack, the costliest first, to the slot that is free first."""
    stacks = [
        (load.cost(size), i)
        for i, (load, count) in enumerate(zip(loads, parts, strict=True))
        for size in load.sizes(count)
    ]
    free = [(0.0, slot) for slot in range(slots)]
    groups: list[list[int]] = [[] for _ in range(slots)]
    for cost, i in sorted(stacks, key=lambda stack: -stack[0]):
        finish, slot = free[0]
        heapq.heapreplace(free, (finish + cost, slot))
        groups[slot].append(i)
    return [Slot(finish, tuple(groups[slot])) for finish, slot in free]


def _occupied(loads: Sequence[Load], parts: Sequence[int], slots: int) -> list[int]:
    """Raise `parts`, the costliest stack first, until there is one for each slot."""
    found = list(parts)

    def costliest(i: int) -> tuple[float, int]:
        return -loads[i].cost(loads[i].sizes(found[i])[0]), i

    heap = [costliest(i) for i, load in enumerate(loads) if found[i] < load.runs]
    heapq.heapify(heap)
    for _ in range(slots - sum(found)):
        if not heap:
            break
        _, i = heapq.heappop(heap)
        found[i] += 1
        if found[i] < loads[i].runs:
            heapq.heappush(heap, costliest(i))
    return found
