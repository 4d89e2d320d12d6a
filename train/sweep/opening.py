"""Opening a sweep directory to drive it: locks, the plan, and what a changed grid means for it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from geomem.train.config import RunConfig, run_id
from geomem.train.config.graph import file_fields
from geomem.train.packs import atomic_write
from geomem.train.sweep.about import new_about, write_about
from geomem.train.sweep.errors import InUseError
from geomem.train.sweep.events import Group, Queued
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.graph_copies import keep_graphs
from geomem.train.sweep.journal import Journal, read_events
from geomem.train.sweep.lock import Shard, Sign, drive, holders, planning
from geomem.train.sweep.plan import Stack
from geomem.train.sweep.planfile import Line, read_plan, write_plan
from geomem.train.sweep.state import State
from geomem.train.sweep.store import require_packs

Planner = Callable[[Sequence[RunConfig], int], list[Stack]]
"""Divides runs into stacks; the number is the attempt."""


class GridLike(Protocol):
    """What a sweep keeps of a grid file."""

    @property
    def name(self) -> str: ...
    @property
    def runs(self) -> tuple[RunConfig, ...]: ...
    @property
    def text(self) -> str: ...
    @property
    def files(self) -> Mapping[str, tuple[str, str]]: ...


@dataclass(frozen=True)
class Request:
    """What the user asked for. `source` is the grid file's path, `sets` what was laid over it."""

    grid: GridLike
    source: str
    sets: tuple[str, ...] = ()
    shard: Shard | None = None
    retry: tuple[Literal["failed", "diverged"], ...] = ()


@dataclass(frozen=True)
class Sweep:
    """An open sweep: this driver alone may train `groups` until it lets go."""

    folder: Folder
    state: State
    journal: Journal
    groups: list[Group]
    shard: Shard | None
    sign: Sign
    notes: tuple[str, ...]


@contextlib.contextmanager
def open_sweep(folder: Folder, request: Request, plan: Planner) -> Iterator[Sweep]:
    """Lock the directory, write or update its plan, and queue what is to be trained again.

    Raises InUseError, FolderError, DiskError, StoreError, LostPacksError.
    """
    folder.prepare()
    shard = request.shard
    writer = shard.name if shard else "main"
    with drive(folder.journal, shard) as sign, contextlib.ExitStack() as stack:
        with planning(folder.journal):
            change = _compare(folder, request, plan, writer)
            if shard is None:
                folder.clean()
            journal = Journal(folder.journal / f"{writer}.jsonl")
            stack.callback(journal.close)
            state = _update(folder, request, plan, journal, change)
        groups = [g for g in state.pending if not shard or _is_own(state, g, shard)]
        yield Sweep(folder, state, journal, groups, shard, sign, change.notes)


def own_runs(state: State, shard: Shard | None) -> list[str]:
    """The runs of the grid that a shard answers for; without one, all of them."""
    if shard is None:
        return state.runs
    groups = state.groups
    return [run for run in state.runs if _is_own(state, groups[state.stack_of[run]], shard)]


def _is_own(state: State, group: Group, shard: Shard) -> bool:
    return state.owner(group, shard.count) == shard.index


@dataclass(frozen=True)
class _Change:
    """What a request makes of a directory: contents of sweep.json, the old state, the new plan."""

    about: dict[str, object]
    old: State
    lines: list[Line]
    notes: tuple[str, ...] = ()


def _compare(folder: Folder, request: Request, plan: Planner, writer: str) -> _Change:
    """Everything that can be refused is refused here, where nothing is written yet."""
    about = new_about(folder, request.grid.name, request.source, request.sets)
    old = State(read_plan(folder.plan), read_events(folder.journal))
    lines = merge_plan(old.lines, {run_id(run): run for run in request.grid.runs}, plan)
    state = State(lines, old.events)
    require_packs(folder, state, own_runs(state, request.shard))
    if lines == old.lines or not old.lines:
        return _Change(about, old, lines)
    _refuse_neighbours(folder, writer)
    return _Change(about, old, lines, (_describe_change(old, lines),))


def _update(
    folder: Folder, request: Request, plan: Planner, journal: Journal, change: _Change
) -> State:
    # First the files of graphs, one of which may have changed: also that leaves the sweep as it is.
    keep_graphs(folder.graphs, request.grid.files)
    write_about(folder, change.about)
    if change.lines != change.old.lines:
        write_plan(folder.plan, change.lines)
    grid = request.grid.text.encode()
    if not folder.grid.exists() or folder.grid.read_bytes() != grid:
        atomic_write(folder.grid, grid)
    runs = {run_id(run): run for run in request.grid.runs}
    lines = _with_present_paths(change.lines, runs)
    state = State(lines, change.old.events)
    for why, torn in (("the grid changed", broken_up(state)), _to_retry(state, request)):
        if torn:
            stacks = plan([runs[run] for run in torn], state.next_attempt(torn))
            groups = tuple(
                Group(stack=s.id, attempt=state.next_attempt(torn), runs=s.run_ids) for s in stacks
            )
            event = journal.append(Queued(why=why, groups=groups))
            for stack in {state.stack_of[run] for run in torn} - set(state.commits):
                folder.forget(stack)
            state = State(lines, [*state.events, event])
    return state


def merge_plan(old: Sequence[Line], runs: dict[str, RunConfig], plan: Planner) -> list[Line]:
    """The plan of a grid: known runs keep their stacks, others get new ones, nothing is lost."""
    known = {line.run for line in old}
    place = {run: index for index, run in enumerate(runs)}
    kept = [replace(line, index=place.get(line.run)) for line in old]
    new = [config for run, config in runs.items() if run not in known]
    added = [
        Line(place[run], run, stack.id, config.model_dump(mode="json"))
        for stack in (plan(new, 0) if new else [])
        for run, config in zip(stack.run_ids, stack.runs, strict=True)
    ]
    return kept + added


def _with_present_paths(lines: Sequence[Line], runs: dict[str, RunConfig]) -> list[Line]:
    """Files of graphs where the grid finds them now: their place is no part of a run."""
    return [
        replace(line, config=runs[line.run].model_dump(mode="json"))
        if line.run in runs and file_fields(runs[line.run].graph)
        else line
        for line in lines
    ]


def broken_up(state: State) -> list[str]:
    """Runs of the grid whose stack, never trained to its end, has members that left it."""
    once_committed = {event.stack for event in state.ever_committed}
    found = []
    for group in state.pending:
        own = [
            run
            for run in group.runs
            if state.stack_of[run] == group.stack and state.line_of[run].index is not None
        ]
        if len(own) < len(group.runs) and group.stack not in once_committed:
            found += own
    return found


def _to_retry(state: State, request: Request) -> tuple[str, list[str]]:
    runs = own_runs(state, request.shard)
    found = [run for run in runs if state.status(run) in request.retry]
    return "retry " + " and ".join(request.retry), found


def _refuse_neighbours(folder: Folder, writer: str) -> None:
    others = [h for h in holders(folder.journal) if h.shard not in (None, writer)]
    if others:
        raise InUseError(f"the grid changed, but the directory is in use by {others[0]}")


def _describe_change(old: State, lines: Sequence[Line]) -> str:
    new = len(lines) - len(old.lines)
    orphaned = [line.run for line in lines if line.index is None]
    text = f"the grid changed: {len(lines) - new - len(orphaned):,} runs kept, {new:,} new"
    if orphaned:
        shown = ", ".join(run[:12] for run in orphaned[:5])
        more = ", ..." if len(orphaned) > 5 else ""
        text += f", {len(orphaned):,} orphaned ({shown}{more}): not trained, nothing is deleted"
    return text
