"""`geomem-train verify`: check every committed byte of a sweep."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from geomem.train.paths import PATH

if TYPE_CHECKING:
    from geomem.train.sweep.folder import Folder
    from geomem.train.sweep.store import Damage

DAMAGED = 5


@click.command(name="verify")
@click.argument("directory", metavar="DIR", type=PATH)
@click.option("--repair", is_flag=True, help="Put damaged packs aside and queue their runs again.")
def command(directory: Path, repair: bool) -> None:
    """Check every byte of every committed pack of the sweep in DIR, its plan, journals and graphs.

    Damage is named by file and tensor, and ends with exit code 5. With --repair the damaged packs
    are renamed to *.damaged and the next 'sweep' trains their runs again; nothing is deleted.

    \b
    Examples:
      geomem-train verify sweeps/first
      geomem-train verify sweeps/first --repair
    """
    from geomem.train.sweep.about import read_about
    from geomem.train.sweep.folder import Folder
    from geomem.train.sweep.graph_copies import check_graphs
    from geomem.train.sweep.planfile import check_plan
    from geomem.train.sweep.state import read_state, require_plan
    from geomem.train.sweep.store import find_damage, uncommitted
    from geomem.train.sweep.words import plural, size

    folder = Folder(directory)
    state = read_state(folder)
    read_about(folder)
    check_graphs(folder.graphs)
    check_plan(folder.plan, state.lines)
    require_plan(folder, state)
    found = []
    for damage in find_damage(folder, state):
        click.echo(f"damaged  {damage}")
        found.append(damage)
    for path in uncommitted(folder, state):
        click.echo(f"ignored  {path}: not committed, left by a killed process")
    total = sum(commit.size for commit in state.commits.values())
    bad = len({damage.path for damage in found})
    verdict = f"{bad} damaged" if bad else "all as they were committed"
    click.echo(f"{plural(len(state.commits), 'pack')}, {size(total)}: {verdict}")
    if found and repair:
        _repair(folder, found)
    elif found:
        again = shlex.join(["geomem-train", "verify", str(directory), "--repair"])
        click.echo(f"Queue their runs again:\n  {again}", err=True)
        click.get_current_context().exit(DAMAGED)


def _repair(folder: "Folder", found: "list[Damage]") -> None:
    import contextlib

    from geomem.train.sweep.journal import Journal
    from geomem.train.sweep.lock import drive
    from geomem.train.sweep.state import read_state
    from geomem.train.sweep.status import next_command
    from geomem.train.sweep.store import put_aside
    from geomem.train.sweep.words import plural

    worst = {damage.path: damage for damage in found}
    with (
        drive(folder.journal, None),
        contextlib.closing(Journal(folder.journal / "main.jsonl")) as journal,
    ):
        for damage in worst.values():
            event = put_aside(folder, journal, damage)
            where = f"kept as {event.kept}" if event.kept else "it was missing"
            click.echo(f"repaired {damage.path}: {where}")
    state = read_state(folder)
    if pending := state.count(state.runs)["pending"]:
        text = f"{plural(pending, 'run')} to train now:\n  {next_command(folder)}"
        click.echo(text, err=True)
