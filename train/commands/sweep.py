"""`geomem-train sweep`: train every run of a grid file."""

import re
import shlex
from pathlib import Path
from typing import Literal

import click

from geomem.train.commands.options import set_option, tuning_option, with_tuning
from geomem.train.paths import FOLDER, PATH
from geomem.train.sweep.lock import Shard


def _parse_shard(ctx: click.Context, param: click.Parameter, value: str | None) -> Shard | None:
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", value)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise click.BadParameter(f"{value!r} is not I/N with 1 <= I <= N, such as 2/8")
    return Shard(int(match[1]), int(match[2]))


@click.command(name="sweep")
@click.argument("grid", type=PATH)
@click.option(
    "--out",
    metavar="DIR",
    type=FOLDER,
    help="Directory of the sweep; default: sweeps/ and the name in the grid file.",
)
@set_option
@tuning_option
@click.option(
    "--shard",
    metavar="I/N",
    callback=_parse_shard,
    help="Train part I of N; shards may run at once, on several hosts too.",
)
@click.option(
    "--retry",
    type=click.Choice(["failed", "diverged"]),
    multiple=True,
    help="Train runs that ended so once more, in new stacks; may be repeated.",
)
@click.option("--quiet", is_flag=True, help="No progress; only what needs attention and the end.")
def command(
    grid: Path,
    out: Path | None,
    sets: tuple[str, ...],
    tuning: Path | None,
    shard: Shard | None,
    retry: tuple[Literal["failed", "diverged"], ...],
    quiet: bool,
) -> None:
    """Train every run of GRID and leave packs. GRID is a file or the name of a shipped grid.

    The same command again goes on where it ended, however it ended. A changed GRID keeps the
    runs that it still has, and trains the new ones. Ctrl-C writes checkpoints first; twice stops
    at once.

    \b
    Exit codes: 0 done; 2 usage or configuration; 3 some runs failed or diverged;
    4 directory in use; 5 directory damaged; 74 disk; 75 interrupted, resumable.

    \b
    Examples:
      geomem-train sweep grid.yaml
      geomem-train sweep grid.yaml --out runs/a --set train.steps=1000
      geomem-train sweep grid.yaml --shard 2/8
    """
    from geomem.train.config import load_grid
    from geomem.train.sweep.folder import Folder, slug
    from geomem.train.sweep.opening import Request
    from geomem.train.sweep.progress import say
    from geomem.train.sweep.run import run_sweep

    loaded = load_grid(grid, sets)
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    folder = Folder(out or Path("sweeps") / slug(loaded.name))
    request = Request(loaded, str(grid.absolute()), sets, shard, retry)
    execution = with_tuning(loaded.execution, tuning)
    again = _again(grid, out, sets, tuning, shard, quiet)
    click.get_current_context().exit(run_sweep(folder, request, execution, again, quiet))


def _again(
    grid: Path,
    out: Path | None,
    sets: tuple[str, ...],
    tuning: Path | None,
    shard: Shard | None,
    quiet: bool,
) -> str:
    """The command to resume with: the same, without --retry."""
    words = ["geomem-train", "sweep", str(grid)]
    words += ["--out", str(out)] if out else []
    words += [word for item in sets for word in ("--set", item)]
    words += ["--tuning", str(tuning)] if tuning else []
    words += ["--shard", f"{shard.index}/{shard.count}"] if shard else []
    return shlex.join([*words, "--quiet"] if quiet else words)
