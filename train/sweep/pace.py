"""How fast workers get on, from the time between their reports."""

from collections import deque

_PARTS = 64
_KEPT = 16
_LEAST_SECONDS = 5.0


class Pace:
    """Member-steps per second of one worker, over about the last quarter of the planned steps.

    A stretch of steps, not of time: it holds as much evaluation as these steps bring with them,
    where a window of seconds would hold nothing else during an evaluation, and none before it.
    """

    def __init__(self, planned_steps: int) -> None:
        self._part = planned_steps / _PARTS
        self._parts = deque([(0.0, 0)], maxlen=_KEPT)

    def add(self, seconds: float, steps: int) -> None:
        """What one worker made of its time."""
        before, made = self._parts[-1]
        if made >= self._part:
            self._parts.append((seconds, steps))
        else:
            self._parts[-1] = (before + seconds, made + steps)

    @property
    def rate(self) -> float | None:
        """None as long as it would rest on next to nothing."""
        seconds = sum(seconds for seconds, _ in self._parts)
        steps = sum(steps for _, steps in self._parts)
        return steps / seconds if steps > 0 and seconds >= _LEAST_SECONDS else None
