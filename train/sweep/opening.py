"""Opening a sweep directory to drive it: locks, the plan, and what a changed grid means for it."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from geomem.train.canonical import canonical_json
from geomem.train.config import RunConfig, run_id
from geomem.train.config.graph import file_fields
from geomem.train.packs import atomic_write, geomem_version
from geomem.train.sweep.errors import InUseError, StoreError
from geomem.train.sweep.events import Group, Queued
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.graph_copies import keep_graphs
from geomem.train.sweep.journal import Journal
from geomem.train.sweep.lock import Shard, Sign, drive, holders, planning
from geomem.train.sweep.plan import Stack
from geomem.train.sweep.planfile import Line, write_plan
from geomem.train.sweep.state import State, read_state

FORMAT = 1
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

    Raises InUseError, FolderError, DiskError, StoreError.
    """
    folder.prepare()
    shard = request.shard
    writer = shard.name if shard else "main"
    with drive(folder.journal, shard) as sign:
        if shard is None:
            folder.clean()
        with contextlib.closing(Journal(folder.journal / f"{writer}.jsonl")) as journal:
            with planning(folder.journal):
                state, notes = _update(folder, request, plan, journal, writer)
            groups = [g for g in state.pending if not shard or _is_own(state, g, shard)]
            yield Sweep(folder, state, journal, groups, shard, sign, notes)


def _is_own(state: State, group: Group, shard: Shard) -> bool:
    return state.owner(group, shard.count) == shard.index


def _update(
    folder: Folder, request: Request, plan: Planner, journal: Journal, writer: str
) -> tuple[State, tuple[str, ...]]:
    _write_about(folder, request)
    old = read_state(folder)
    runs = {run_id(run): run for run in request.grid.runs}
    lines = merge_plan(old.lines, runs, plan)
    notes: list[str] = []
    if lines != old.lines:
        if old.lines:
            _refuse_neighbours(folder, writer)
            notes.append(_describe_change(old, lines))
        write_plan(folder.plan, lines)
    keep_graphs(folder.graphs, request.grid.files)
    grid = request.grid.text.encode()
    if not folder.grid.exists() or folder.grid.read_bytes() != grid:
        atomic_write(folder.grid, grid)
    lines = _with_present_paths(lines, runs)
    state = State(lines, old.events)
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
    return state, tuple(notes)


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
    shard = request.shard
    found = [run for run in state.runs if state.status(run) in request.retry]
    if shard:
        groups = state.groups
        found = [run for run in found if _is_own(state, groups[state.stack_of[run]], shard)]
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


def _write_about(folder: Folder, request: Request) -> None:
    about = {
        "format": FORMAT,
        "geomem": geomem_version(),
        "name": request.grid.name,
        "grid": request.source,
        "set": list(request.sets),
    }
    old = read_about(folder) if folder.about.exists() else {}
    about["created"] = old.get("created", time.strftime("%Y-%m-%dT%H:%M:%S%z"))
    if about != old:
        atomic_write(folder.about, (canonical_json(about) + "\n").encode())


def read_about(folder: Folder) -> dict[str, object]:
    """The contents of sweep.json. Raises StoreError, also for a newer format."""
    try:
        about = json.loads(folder.about.read_bytes())
        newer = about["format"] > FORMAT
        if not newer and not isinstance(about["name"], str):
            raise TypeError("name")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreError(
            folder.about, "damaged; delete it, and the next 'sweep' writes it again"
        ) from error
    if newer:
        raise StoreError(
            folder.about,
            f"format {about['format']} of geomem {about.get('geomem')}, this one knows {FORMAT}",
        )
    found: dict[str, object] = about
    return found
