"""What is left to train, and what becomes of each stack: every decision is a journal line."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Any

from geomem.train.config import RunConfig, read_config
from geomem.train.sweep.events import Committed, Event, Failed, Group, Split
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.journal import Journal
from geomem.train.sweep.plan import plan_stacks, stack_key
from geomem.train.sweep.sizing import Sizing
from geomem.train.sweep.state import State

Job = tuple[Group, ...]
"""A stack, or several that are trained as one."""


class Board:
    """The jobs that one driver has to do, the costliest first, as `sizing` estimates it.

    Raises DiskError from the journal.
    """

    def __init__(
        self,
        state: State,
        jobs: Iterable[Job],
        folder: Folder,
        journal: Journal,
        retries: int,
        sizing: Sizing,
    ) -> None:
        self.events: list[Event] = []
        self._state, self._folder, self._journal = state, folder, journal
        self._sizing = sizing
        self._waiting = deque(sorted(jobs, key=self._cost, reverse=True))
        self._limits = dict(state.limits)
        self._deaths: Counter[tuple[str, ...]] = Counter()
        self._retries = retries

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> Job | None:
        """The next job, no larger than memory is known to allow; None when there is none."""
        while self._waiting:
            job = self._waiting.popleft()
            limit = self._limit(job)
            if limit is None:
                return job
            if len(job) > 1:
                self.separate(job)
            elif limit < len(job[0].runs):
                self._split(job[0], limit)
            else:
                return job
        return None

    def _limit(self, job: Job) -> int | None:
        """The most members, where memory once ran out for stacks like those of the job."""
        if not self._limits:
            return None
        found = (self._limits.get(self._key(group)) for group in job)
        return min((limit for limit in found if limit is not None), default=None)

    def put_back(self, job: Job) -> None:
        """To be taken next."""
        self._waiting.appendleft(job)

    def separate(self, job: Job) -> None:
        """Put the stacks of a job back, to be trained one after the other."""
        self._folder.forget(job[0].stack)
        self._waiting.extendleft((group,) for group in reversed(job))

    def configs(self, group: Group) -> list[dict[str, Any]]:
        """The configuration of each member."""
        return [self._state.line_of[run].config for run in group.runs]

    def steps(self, group: Group) -> int:
        """Optimiser steps of all members together, if none stops early."""
        return sum(self._steps(group))

    def commit(self, job: Job, events: Sequence[Committed]) -> None:
        """The packs of a job are on the disk: from here on its runs are done.

        Its stacks are noted together: they share a checkpoint, which serves no part of them.
        """
        self._note(*events)
        for group, event in zip(job, events, strict=True):
            self._folder.forget(group.stack, keep=event.pack)

    def fail(self, group: Group, cause: str, log: str, tail: str) -> Failed:
        """Set the stack aside."""
        event = Failed(stack=group.stack, cause=cause, log=log, tail=tail)
        self._note(event)
        self._folder.forget(group.stack)
        return event

    def died(self, job: Job) -> bool:
        """Count the death of the job's worker; tell whether the job may be tried again."""
        stacks = tuple(group.stack for group in job)
        self._deaths[stacks] += 1
        return self._deaths[stacks] <= self._retries

    def halve(self, group: Group) -> bool:
        """Memory ran out: remember the size; tell whether there was anything to halve."""
        if len(group.runs) == 1:
            return False
        self._split(group, (len(group.runs) + 1) // 2)
        return True

    def _split(self, group: Group, members: int) -> None:
        runs = [read_config(c) for c in self.configs(group)]
        parts = plan_stacks(runs, Sizing(members), 1, attempt=group.attempt)
        into = tuple(Group(stack=p.id, attempt=group.attempt, runs=p.run_ids) for p in parts)
        key = self._key(group)
        self._note(Split(stack=group.stack, key=key, members=members, into=into))
        self._limits[key] = min(members, self._limits.get(key, members))
        self._folder.forget(group.stack)
        self._waiting.extendleft((part,) for part in reversed(into))

    def _steps(self, group: Group) -> list[int]:
        return [int(config["train"]["steps"]) for config in self.configs(group)]

    def _cost(self, job: Job) -> float:
        """At most: launches of several stacks are shared."""
        total = 0.0
        for group in job:
            first, steps = self._first(group), self._steps(group)
            cost = self._sizing.step_cost(stack_key(first), first)
            total += cost.launch * max(steps) + cost.member * sum(steps)
        return total

    def _key(self, group: Group) -> str:
        return stack_key(self._first(group))

    def _first(self, group: Group) -> RunConfig:
        return read_config(self._state.line_of[group.runs[0]].config)

    def _note(self, *events: Event) -> None:
        self.events += self._journal.append_all(events)
