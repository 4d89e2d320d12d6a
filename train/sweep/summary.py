"""What a sweep says when it ends, and the exit code that goes with it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from geomem.train.errors import Exit
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.shortage import NEVER_FITS
from geomem.train.sweep.slots import Slots
from geomem.train.sweep.state import STATUSES, State, Status
from geomem.train.sweep.tally import Tally
from geomem.train.sweep.words import duration, number, plural, printable, size

_CAUSES = 8


def exit_code(counts: Counter[Status]) -> Exit:
    """Of a sweep, or of a shard of it, that trained all it had to."""
    return Exit.SOME_FAILED if counts["failed"] or counts["diverged"] else Exit.DONE


def describe_counts(counts: Counter[Status]) -> str:
    """512 runs: 509 done, 2 diverged, 1 failed."""
    parts = [f"{counts[status]:,} {status}" for status in STATUSES if counts[status]]
    return f"{plural(counts.total(), 'run')}: {', '.join(parts) or 'none'}"


@dataclass(frozen=True)
class Cause:
    """Runs that failed for one reason, and the log of one of their stacks."""

    cause: str
    runs: int
    log: str

    def __str__(self) -> str:
        return f"{plural(self.runs, 'run')} failed: {printable(self.cause)} ({self.log})"


def group_failures(state: State, runs: Sequence[str]) -> list[Cause]:
    """Failures by cause, the commonest first."""
    stacks = Counter(state.stack_of[run] for run in runs if state.status(run) == "failed")
    causes: Counter[str] = Counter()
    logs: dict[str, str] = {}
    for stack, count in stacks.items():
        event = state.failures[stack]
        causes[event.cause] += count
        logs.setdefault(event.cause, event.log)
    return [Cause(cause, count, logs[cause]) for cause, count in causes.most_common()]


def when_to_retry(causes: Sequence[Cause]) -> str:
    """In front of the command that tries failed runs again: not here, if none of them fits."""
    if all(NEVER_FITS in cause.cause for cause in causes):
        return "What failed would fail again here; where there is more memory"
    return "Try what failed again"


def describe_failures(causes: Sequence[Cause]) -> list[str]:
    """One line per cause; the rarest are counted only."""
    hidden = len(causes) - _CAUSES
    more = [f"and {plural(hidden, 'other cause')}"] if hidden > 0 else []
    return [*map(str, causes[:_CAUSES]), *more]


def describe_speed(tally: Tally, slots: Slots) -> str:
    """Wall time and member-steps per second, in all and per core or GPU."""
    rate = tally.trained / max(tally.seconds, 1e-9)
    used = min(slots.count, max(1, tally.stacks))
    units = min(used, len(slots.gpus)) if slots.gpus else used * slots.threads
    per = f"{number(rate / units)} per {'GPU' if slots.gpus else 'core'}, {units} in use"
    return f"{duration(tally.seconds)}, {number(rate)} member-steps/s ({per})"


def describe_packs(state: State, folder: Folder) -> str:
    """How many packs there are, how large, and where."""
    total = sum(commit.size for commit in state.commits.values())
    return f"{plural(len(state.commits), 'pack')}, {size(total)}, in {folder.packs}"
