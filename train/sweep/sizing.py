"""How many members stacks may have on a device, how many they should, and what a step costs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from geomem.train.config.run import RunConfig
from geomem.train.sweep.size import CHUNK_BYTES, member_bytes, step_operations
from geomem.train.sweep.slots import Slots

GPU_SHARE = 0.5
"""Of a GPU's memory, for all stacks on it; the rest is for its context, recorded graphs, and what
the estimate of a member's memory leaves out."""

Source = Literal["memory", "tuning", "grid"]


@dataclass(frozen=True)
class Room:
    """What a device offers to one stack.

    bytes, members: what an automatic stack may take at most; launch: what a step costs whatever
    its members, in operations; least: members that are always worth that, however small they are.
    """

    bytes: int
    members: int
    launch: float
    least: int


# One core, measured: a step takes 1.1 ms and 63 us for each tiny path-star (1.4e6 operations), and
# 1.5 ms and 9.7 ms for each G(256, 5) (7.8e8 operations). More than 256 members gain nothing.
CPU_ROOM = Room(2**30, 256, 4e7, 32)


def room_of(slots: Slots) -> Room:
    """What a stack of one worker may take; a CPU's where a GPU's memory is not known.

    A GPU's launch is arithmetic, not measured: 0.15 ms at 1e13 operations a second.
    """
    if slots.device == "cpu" or not slots.memory:
        return CPU_ROOM
    sharing = -(-slots.count // max(1, len(slots.gpus)))
    return Room(int(GPU_SHARE * slots.memory) // sharing, 4096, 1.5e9, 1024)


class StepCost(NamedTuple):
    """What a step of a stack takes: launch + members * member, in any one unit of time."""

    launch: float
    member: float


class Tuned(NamedTuple):
    """What was measured of a shape: members at most and at least, and the seconds of a step."""

    members: int
    least: int
    cost: StepCost


@dataclass(frozen=True)
class Sizing:
    """The rules for the sizes of stacks; `tuned` by stack key.

    timed: whether costs come from `tuned`, which is to know every shape then.
    """

    members: int | Literal["auto"] = "auto"
    room: Room = CPU_ROOM
    tuned: Mapping[str, Tuned] = field(default_factory=dict)
    timed: bool = False

    def source(self, key: str) -> Source:
        """What decides how many members a stack of this key has at most."""
        if self.members != "auto":
            return "grid"
        return "tuning" if key in self.tuned else "memory"

    def most(self, key: str, run: RunConfig) -> int:
        """Members at most; ConfigError for an edge list that cannot be read."""
        if self.members != "auto":
            return self.members
        if key in self.tuned:
            return self.tuned[key].members
        return max(1, min(self.room.members, (self.room.bytes - CHUNK_BYTES) // member_bytes(run)))

    def least(self, key: str, run: RunConfig) -> int:
        """Members below which more stacks cost more than they gain."""
        if key in self.tuned:
            return self.tuned[key].least
        return min(self.room.least, -int(-self.room.launch // step_operations(run)))

    def step_cost(self, key: str, run: RunConfig) -> StepCost:
        """Of a stack of such runs: seconds if `timed`, else operations."""
        if self.timed and key in self.tuned:
            return self.tuned[key].cost
        return StepCost(self.room.launch, step_operations(run))
