"""`geomem-train tune`: which sizes of stacks train a grid fastest on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from geomem.train.commands.options import set_option
from geomem.train.paths import FILE, PATH

if TYPE_CHECKING:
    from geomem.train.config import RunConfig
    from geomem.train.sweep.tuning import Shape

_WIDTH_OF_FILES = 160


@click.command(name="tune")
@click.argument("grid", type=PATH)
@click.option(
    "--out",
    metavar="FILE",
    type=FILE,
    help="JSON file to write or to go on with; default: the grid's name and .tuning.json.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to measure.")
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 600),
    default=3.0,
    show_default=True,
    help="Length of each measurement.",
)
@set_option
def command(
    grid: Path, out: Path | None, device: str | None, seconds: float, sets: tuple[str, ...]
) -> None:
    """Measure stacks of each shape of GRID: with 1, 2, 4, ... members, and with several workers.

    Larger stacks are tried as long as memory allows and they are faster; the fewest members
    within 5 % of the fastest are chosen. The file counts only where it is named, with --tuning or
    execution.tuning. The same command goes on after an interruption. Nothing else should keep
    the machine busy meanwhile.

    \b
    Exit codes: 0 done; 2 usage or configuration; 3 some shapes cannot be trained;
    75 interrupted, resumable.

    \b
    Examples:
      geomem-train tune grid.yaml --out here.json
      geomem-train plan grid.yaml --tuning here.json
      geomem-train sweep grid.yaml --tuning here.json
    """
    from geomem.train.config import load_grid
    from geomem.train.errors import Exit
    from geomem.train.sweep.folder import slug
    from geomem.train.sweep.plan import stack_key
    from geomem.train.sweep.progress import say
    from geomem.train.sweep.slots import resolve_slots
    from geomem.train.sweep.tune import Means, tune

    loaded = load_grid(grid, sets)
    chosen = {} if device is None else {"device": device}
    execution = loaded.execution.model_copy(update=chosen)
    path = out or Path(f"{slug(loaded.name)}.tuning.json")
    means = Means(resolve_slots(execution), seconds, say)
    report = tune(loaded.runs, execution, path, means)
    runs = {stack_key(run): run for run in reversed(loaded.runs)}
    _show(means.slots.name, [(runs[s.key], s) for s in report.tuning.shapes if s.key in runs])
    for text in report.failed:
        say(f"cannot be trained: {text}")
    if report.interrupted:
        say(f"interrupted by {report.interrupted}; the same command goes on with {path}")
        click.get_current_context().exit(Exit.INTERRUPTED)
    say(f"{path} is written; it counts where it is named: --tuning {path}")
    click.get_current_context().exit(Exit.SOME_FAILED if report.failed else Exit.DONE)


def _show(device: str, shapes: "list[tuple[RunConfig, Shape]]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from geomem.train.sweep.tune import shape_name
    from geomem.train.sweep.words import number, plural

    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_FILES
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("shape", overflow="fold")
    for name in ("members", "member-steps/s"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("chosen", no_wrap=True)
    for run, shape in shapes:
        name = shape_name(run)
        for speed in shape.measured:
            mark = "chosen" if speed.members == shape.members else ""
            table.add_row(name, str(speed.members), number(speed.rate), mark)
            name = ""
        for way in shape.arrangements:
            text = f"{plural(way.workers, 'worker')} with {plural(way.threads, 'thread')}"
            table.add_row(f"  {text}", str(shape.members), number(way.rate), "")
    console.print(device)
    console.print(table)
