"""What the plan and the journals say together. Nothing else is asked what is done."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from geomem.train.sweep.errors import StoreError
from geomem.train.sweep.events import Committed, Damaged, Event, Failed, Group, Queued, Split
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.journal import read_events
from geomem.train.sweep.planfile import Line, by_stack, read_plan
from geomem.train.sweep.words import plural

Status = Literal["pending", "done", "diverged", "failed"]
STATUSES: tuple[Status, ...] = ("done", "diverged", "failed", "pending")


@dataclass(frozen=True)
class Result:
    """Where a run's tensors are: member `member` of a committed pack."""

    commit: Committed
    member: int

    @property
    def status(self) -> Literal["done", "diverged"]:
        """done or diverged."""
        return self.commit.members[self.member].status


class State:
    """A sweep at one instant. All of it follows from `lines` and `events`, in any order."""

    def __init__(self, lines: Sequence[Line], events: Sequence[Event]) -> None:
        self.lines, self.events = lines, events
        self.line_of = {line.run: line for line in lines}
        self.damaged = {e.pack for e in events if isinstance(e, Damaged)}
        self.ever_committed = [e for e in events if isinstance(e, Committed)]
        self.commits = {e.stack: e for e in self.ever_committed if e.pack not in self.damaged}
        self.failures = {
            e.stack: e for e in events if isinstance(e, Failed) and e.stack not in self.commits
        }
        self.splits = {e.stack: e for e in events if isinstance(e, Split)}
        self.groups = {g.stack: g for g in self._groups()}

    def _groups(self) -> Iterable[Group]:
        for stack, runs in by_stack(self.lines).items():
            yield Group(stack=stack, attempt=0, runs=tuple(runs))
        for event in self.events:
            if isinstance(event, Queued):
                yield from event.groups
            elif isinstance(event, Split):
                yield from event.into

    @cached_property
    def runs(self) -> list[str]:
        """The runs of the grid, in its order."""
        lines = [line for line in self.lines if line.index is not None]
        return [line.run for line in sorted(lines, key=lambda line: line.index or 0)]

    @cached_property
    def orphans(self) -> list[str]:
        """Runs that were planned once and that the grid no longer has."""
        return [line.run for line in self.lines if line.index is None]

    @cached_property
    def stack_of(self) -> dict[str, str]:
        """The stack that answers for each run: of its last attempt, halved as often as it was."""
        latest = {line.run: (0, line.stack) for line in self.lines}
        queued = (g for e in self.events if isinstance(e, Queued) for g in e.groups)
        for group in queued:
            for run in group.runs:
                latest[run] = max(latest.get(run, (0, "")), (group.attempt, group.stack))
        return {run: self._smallest(run, stack) for run, (_, stack) in latest.items()}

    def _smallest(self, run: str, stack: str) -> str:
        while stack in self.splits:
            stack = next(g.stack for g in self.splits[stack].into if run in g.runs)
        return stack

    @cached_property
    def results(self) -> dict[str, Result]:
        """The pack of each run that has one; a later attempt wins."""
        found: dict[str, Result] = {}
        for commit in sorted(self.commits.values(), key=lambda c: (c.attempt, c.time)):
            for member, outcome in enumerate(commit.members):
                found[outcome.run] = Result(commit, member)
        return found

    def status(self, run: str) -> Status:
        """Where a run is: to be trained, or how its training ended."""
        stack = self.stack_of[run]
        if stack not in self.commits and stack not in self.failures:
            return "pending"
        if run in self.results:
            return self.results[run].status
        return "failed"

    def count(self, runs: Iterable[str]) -> Counter[Status]:
        """Number of runs per status."""
        return Counter(self.status(run) for run in runs)

    @cached_property
    def current(self) -> list[Group]:
        """The stacks that answer for the runs of the grid, in the order of the plan."""
        wanted = dict.fromkeys(self.stack_of[run] for run in self._planned_order())
        return [self.groups[stack] for stack in wanted]

    @cached_property
    def pending(self) -> list[Group]:
        """Stacks to train, in the order of the plan."""
        over = {*self.commits, *self.failures}
        return [group for group in self.current if group.stack not in over]

    def _planned_order(self) -> Iterable[str]:
        return (line.run for line in self.lines if line.index is not None)

    @cached_property
    def limits(self) -> dict[str, int]:
        """Most members for a stack, per stack key, where memory ran out."""
        limits: dict[str, int] = {}
        for split in self.splits.values():
            limits[split.key] = min(split.members, limits.get(split.key, split.members))
        return limits

    def next_attempt(self, runs: Iterable[str]) -> int:
        """The number of the attempt after every one that these runs have had."""
        return 1 + max(self.groups[self.stack_of[run]].attempt for run in runs)

    def owner(self, group: Group, shards: int) -> int:
        """The shard, from 1, that trains a stack: its first run's place in the plan decides."""
        return 1 + self._ordinal[self.line_of[group.runs[0]].stack] % shards

    @cached_property
    def _ordinal(self) -> dict[str, int]:
        return {stack: n for n, stack in enumerate(by_stack(self.lines))}


def require_plan(folder: Folder, state: State) -> None:
    """Raise StoreError if runs were trained that the plan, cut short, no longer names."""
    trained = {member.run for commit in state.commits.values() for member in commit.members}
    if lost := len(trained - state.line_of.keys()):
        text = (
            f"lacks {plural(lost, 'run')} of those with results; 'sweep' with the same grid adds "
        )
        raise StoreError(folder.plan, f"{text}them again")


def read_state(folder: Folder) -> State:
    """Raises UsageError for another directory, StoreError for one that cannot be trusted."""
    folder.require()
    return State(read_plan(folder.plan), read_events(folder.journal))
