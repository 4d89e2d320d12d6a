"""Committed packs: opened against the journal, verified, and put aside when damaged."""

import os
import shlex
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from geomem.train.packs import DiskError, Pack, PackError, open_pack
from geomem.train.packs.atomic import sync_folder
from geomem.train.packs.errors import packs_of
from geomem.train.sweep.errors import LostPacksError
from geomem.train.sweep.events import Committed, Damaged
from geomem.train.sweep.folder import Folder
from geomem.train.sweep.journal import Journal
from geomem.train.sweep.state import State
from geomem.train.sweep.words import plural

_NAMED = 8


@dataclass(frozen=True)
class Damage:
    """What is wrong with a committed pack; `tensor` is None for its header or the whole file."""

    commit: Committed
    path: Path
    tensor: str | None
    problem: str

    def __str__(self) -> str:
        tensor = f"tensor {self.tensor}: " if self.tensor else ""
        return f"{self.path}: {tensor}{self.problem}"


def open_committed(folder: Folder, commit: Committed) -> Pack:
    """The pack of a journal line. Raises PackError if the file is not the one committed."""
    with packs_of(folder.root):
        pack = open_pack(folder.packs / commit.pack)
        if pack.metadata["digest"] != commit.digest or pack.metadata["sha256"] != commit.sha256:
            raise PackError(pack.path, "this is not the pack that the journal names")
    return replace(pack, sweep=folder.root)


def current_packs(folder: Folder, state: State) -> Iterator[tuple[Pack, list[tuple[int, str]]]]:
    """Each pack that has results of the grid, with those members (place, run) that count.

    A member does not count if a later attempt of its run has a pack. Raises PackError.
    """
    wanted: dict[str, list[tuple[int, str]]] = {}
    for run in state.runs:
        if result := state.results.get(run):
            wanted.setdefault(result.commit.stack, []).append((result.member, run))
    for stack, members in wanted.items():
        yield open_committed(folder, state.commits[stack]), members


def find_losses(folder: Folder, state: State, runs: Iterable[str]) -> list[PackError]:
    """What is wrong with packs of these runs as far as a look tells, without opening them."""
    results = (state.results.get(run) for run in runs)
    commits = {result.commit.pack: result.commit for result in results if result}
    return [loss for commit in commits.values() if (loss := _loss(folder, commit))]


def _loss(folder: Folder, commit: Committed) -> PackError | None:
    path = folder.packs / commit.pack
    try:
        found = path.stat()
    except OSError as error:
        # What cannot be looked at, as without permission, is not lost.
        lost = isinstance(error, FileNotFoundError)
        return PackError(path, error.strerror or str(error), lost=lost)
    if not stat.S_ISREG(found.st_mode):
        return PackError(path, "not a regular file")
    if found.st_size != commit.size:
        return PackError(path, f"{found.st_size:,} bytes, {commit.size:,} were committed")
    return None


def require_packs(folder: Folder, state: State, runs: Iterable[str]) -> None:
    """Raise LostPacksError, with the remedy, if packs of these runs are gone or cut short."""
    if losses := find_losses(folder, state, runs):
        error = LostPacksError("\n  ".join(describe_losses(list(map(str, losses)))))
        if any(loss.lost for loss in losses):
            error.add_note(f"Queue their runs again:\n  {repair_command(folder)}")
        raise error


def describe_losses(losses: Sequence[str]) -> list[str]:
    """A heading, and one line per pack; of many only the first."""
    more = len(losses) - _NAMED
    rest = [f"and {plural(more, 'other')}"] if more > 0 else []
    return [f"{plural(len(losses), 'pack')} unusable:", *losses[:_NAMED], *rest]


def repair_command(folder: Folder) -> str:
    """The command that queues the runs of damaged packs again, from any folder."""
    return shlex.join(["geomem-train", "verify", str(folder.root.absolute()), "--repair"])


def find_damage(folder: Folder, state: State) -> Iterator[Damage]:
    """Check every committed byte; at most one header or any number of tensors per pack."""
    for commit in state.commits.values():
        path = folder.packs / commit.pack
        try:
            pack = open_committed(folder, commit)
            for tensor in pack.damaged():
                yield Damage(commit, path, tensor, "damaged: its SHA-256 does not match")
        except PackError as error:
            yield Damage(commit, path, error.tensor, error.problem)


def uncommitted(folder: Folder, state: State) -> list[Path]:
    """Packs that no journal line names: left by a killed writer, and never read."""
    known = {commit.pack for commit in state.ever_committed}
    return sorted(path for path in folder.packs.glob("*.safetensors") if path.name not in known)


def put_aside(folder: Folder, journal: Journal, damage: Damage) -> Damaged:
    """Rename a damaged pack, then let the journal take its commit back.

    Raises DiskError. Killed in between, the pack is missing and the next repair finds that.
    """
    kept = damage.path.with_name(damage.path.name + ".damaged")
    try:
        os.rename(damage.path, kept)
        sync_folder(folder.packs)
        name = kept.name
    except FileNotFoundError:
        name = None
    except OSError as error:
        raise DiskError(kept, error) from error
    commit = damage.commit
    event = Damaged(stack=commit.stack, pack=commit.pack, problem=str(damage), kept=name)
    journal.append(event)
    return event
