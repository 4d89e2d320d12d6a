"""The numbers of a sweep at work: runs, stacks, speed, time left."""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from geomem.train.sweep.events import Committed, Failed
from geomem.train.sweep.pace import Pace
from geomem.train.sweep.state import Status


class Display(Protocol):
    """Where the numbers are shown."""

    def note(self, text: str) -> None:
        """Say something once."""

    def show(self, tally: "Tally") -> None:
        """Show the numbers, if it is time to."""


@dataclass
class _Flight:
    """Stacks trained as one; steps are member-steps, `start` those that a checkpoint had."""

    stacks: int
    planned: int
    start: int | None
    now: int = 0
    loss: float | None = None


class Tally:
    """Counts of runs and stacks, and the member-steps of this driver since it began."""

    def __init__(
        self,
        counts: Counter[Status],
        stacks: int,
        planned_steps: int,
        display: Display,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = counts.copy()
        self.stacks, self.stacks_over = stacks, 0
        self._display = display
        self._planned = self._left = planned_steps
        self._trained = 0
        self._flights: dict[int, _Flight] = {}
        self._clock, self._begin = clock, clock()
        self._pace = Pace(planned_steps)
        self._heard: dict[int, float] = {}

    def began(
        self, slot: int, stacks: int, planned_steps: int, resumed: bool, fresh: bool = False
    ) -> None:
        """A job starts; a resumed one begins to count with its first report.

        fresh: the worker starts with it, and until its first report it does much that is not
        training and that no later job does.
        """
        self._flights[slot] = _Flight(stacks, planned_steps, None if resumed else 0)
        if fresh:
            self._heard.pop(slot, None)

    def stepped(self, slot: int, member_steps: int, loss: float | None) -> None:
        """A report from the job in a slot."""
        flight, now = self._flights[slot], self._clock()
        if flight.start is None:
            flight.start = member_steps
        elif slot in self._heard:
            self._pace.add(now - self._heard[slot], member_steps - flight.now)
        self._heard[slot] = now
        flight.now, flight.loss = member_steps, loss

    def committed(self, slot: int, events: Sequence[Committed]) -> None:
        """The stacks of a job are done."""
        self.stepped(slot, sum(event.member_steps for event in events), None)
        outcomes = [outcome for event in events for outcome in event.members]
        for outcome in outcomes:
            self.counts[outcome.status] += 1
        self._over(slot, len(outcomes))

    def failed(self, slot: int, event: Failed, runs: int) -> None:
        """The stack is set aside."""
        self.counts["failed"] += runs
        self._over(slot, runs)
        self.note(f"failed: {runs} run{'s' * (runs > 1)}: {event.cause} ({event.log})")

    def returned(self, slot: int, split: bool = False) -> None:
        """The stack goes back to those waiting, whole or in halves."""
        self._land(slot)
        self.stacks += split

    def note(self, text: str) -> None:
        """Say something once."""
        self._display.note(text)

    def tick(self) -> None:
        """Give the display its turn."""
        self._display.show(self)

    @property
    def trained(self) -> int:
        """Member-steps of this driver."""
        flying = sum(f.now - f.start for f in self._flights.values() if f.start is not None)
        return self._trained + flying

    @property
    def seconds(self) -> float:
        """Since the driver began."""
        return self._clock() - self._begin

    @property
    def rate(self) -> float | None:
        """Member-steps per second of the workers that train now; None until there is a measure."""
        pace = self._pace.rate
        return pace * len(self._flights) if pace and self._flights else None

    @property
    def share(self) -> float:
        """Part of this driver's planned member-steps that is behind it, 0 to 1."""
        return 1 - self._steps_left / self._planned if self._planned else 1.0

    @property
    def seconds_left(self) -> float | None:
        """At the present speed, counted down between reports; early stops make it shorter.

        None while there is no speed, and when that time is over without the end being reached: an
        evaluation or the writing of packs takes longer than any number of steps can tell.
        """
        rate, now = self.rate, self._clock()
        if rate is None:
            return None
        left = self._steps_left / rate - (now - max(self._heard.values(), default=now))
        return left if left > 0 else None

    @property
    def _steps_left(self) -> int:
        return max(0, self._left - sum(f.now for f in self._flights.values()))

    @property
    def loss(self) -> float | None:
        """Median over the stacks in training of the median over their members, in nats."""
        losses = [f.loss for f in self._flights.values() if f.loss is not None]
        return statistics.median(losses) if losses else None

    @property
    def flying(self) -> int:
        """Stacks in training."""
        return sum(flight.stacks for flight in self._flights.values())

    def _over(self, slot: int, runs: int) -> None:
        self.counts["pending"] -= runs
        self.stacks_over += self._flights[slot].stacks
        self._left -= self._flights[slot].planned
        self._land(slot)

    def _land(self, slot: int) -> None:
        flight = self._flights.pop(slot, None)
        if flight and flight.start is not None:
            self._trained += flight.now - flight.start
