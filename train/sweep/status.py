"""How far a sweep directory is, for people and for programs."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from geomem.train.packs import PackError
from geomem.train.sweep.about import read_about
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.lock import Holder, holders
from geomem.train.sweep.state import STATUSES, State, Status, read_state, require_plan
from geomem.train.sweep.store import describe_losses, find_losses, repair_command
from geomem.train.sweep.summary import (
    Cause,
    describe_counts,
    describe_failures,
    group_failures,
    when_to_retry,
)
from geomem.train.sweep.words import duration, plural, printable, size


def read_status(folder: Folder) -> dict[str, Any]:
    """Everything that `status` tells, as plain values. Raises UsageError, StoreError.

    `damaged` names packs that are gone or cut short; what is inside them is not looked at.
    """
    state = read_state(folder)
    require_plan(folder, state)
    losses = find_losses(folder, state, state.runs)
    counts, drivers = state.count(state.runs), holders(folder.journal)
    return {
        "name": read_about(folder)["name"] if folder.about.exists() else None,
        "directory": str(folder.root),
        "runs": {status: counts[status] for status in STATUSES},
        "stacks": _stacks(state, drivers),
        "packs": {
            "count": len(state.commits),
            "bytes": sum(commit.size for commit in state.commits.values()),
        },
        "damaged": [{"pack": str(loss.path), "problem": loss.problem} for loss in losses],
        "failures": [asdict(cause) for cause in group_failures(state, state.runs)],
        "orphaned": state.orphans,
        "drivers": [asdict(holder) for holder in drivers],
        "next": _next(folder, counts, losses),
    }


def _stacks(state: State, drivers: Sequence[Holder]) -> dict[str, int]:
    stacks = {state.stack_of[run] for run in state.runs}
    committed = len(stacks & state.commits.keys())
    failed = len(stacks & state.failures.keys())
    left = len(stacks) - committed - failed
    training = min(left, sum(driver.work.stacks for driver in drivers if driver.work))
    return {
        "committed": committed,
        "failed": failed,
        "training": training,
        "pending": left - training,
    }


def _next(folder: Folder, counts: Counter[Status], losses: Sequence[PackError]) -> str | None:
    if losses:
        return repair_command(folder) if any(loss.lost for loss in losses) else None
    if counts["pending"]:
        return next_command(folder)
    return f"{next_command(folder)} --retry failed" if counts["failed"] else None


def next_command(folder: Folder) -> str:
    """The command that goes on with a sweep, from any folder."""
    about = read_about(folder) if folder.about.exists() else {}
    source = Path(str(about.get("grid", folder.grid)))
    grid = source if source.exists() else folder.grid.absolute()
    sets = about.get("set")
    words = ["geomem-train", "sweep", str(grid), "--out", str(folder.root.absolute())]
    words += [w for item in sets for w in ("--set", str(item))] if isinstance(sets, list) else []
    return shlex.join(words)


def render_status(found: Mapping[str, Any]) -> str:
    """The status as a few lines of text."""
    counts, stacks, packs = found["runs"], found["stacks"], found["packs"]
    lines = [f"{printable(str(found['name'] or 'unnamed'))}  {found['directory']}"]
    lines.append(f"  {describe_counts(Counter(counts))}")
    words = {"training": "in training"}
    shown = ", ".join(f"{n} {words.get(what, what)}" for what, n in stacks.items() if n)
    lines.append(f"  {plural(sum(stacks.values()), 'stack')}: {shown or 'none'}")
    lines.append(f"  {plural(packs['count'], 'pack')}, {size(packs['bytes'])}")
    if damaged := [f"{loss['pack']}: {loss['problem']}" for loss in found["damaged"]]:
        lines.append("  " + "\n    ".join(describe_losses(damaged)))
    causes = [Cause(**failure) for failure in found["failures"]]
    lines += [f"  {line}" for line in describe_failures(causes)]
    if orphaned := len(found["orphaned"]):
        lines.append(f"  {plural(orphaned, 'orphaned run')}: no longer in the grid, kept")
    lines += [f"  at work: {_describe_driver(driver)}" for driver in found["drivers"]]
    if found["next"] and damaged:
        when = "once nobody is at work" if found["drivers"] else "nobody is at work"
        lines.append(f"  {when}; to queue the runs of those packs again:\n    {found['next']}")
    elif found["next"] and not found["drivers"]:
        what = "nobody is at work; to go on" if counts["pending"] else when_to_retry(causes)
        lines.append(f"  {what}:\n    {found['next']}")
    return "\n".join(lines)


def _describe_driver(driver: Mapping[str, Any]) -> str:
    text = str(Holder(**driver))
    work = driver["work"]
    if work is None:
        return text
    left = work["seconds_left"]
    return f"{text}: {work['share']:.0%}" + ("" if left is None else f", {duration(left)} left")
