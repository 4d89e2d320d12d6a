"""`geomem-train status`: how far a sweep is."""

import json
from pathlib import Path

import click

from geomem.train.paths import PATH


@click.command(name="status")
@click.argument("directory", metavar="DIR", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
def command(directory: Path, as_json: bool) -> None:
    """Show how far the sweep in DIR is, who works on it, and what failed.

    Packs that are gone or cut short are named, and end with exit code 5; 'verify' looks into them.

    \b
    Examples:
      geomem-train status sweeps/first
      geomem-train status sweeps/first --json
    """
    from geomem.train.errors import Exit
    from geomem.train.sweep.folder import Folder
    from geomem.train.sweep.status import read_status, render_status

    found = read_status(Folder(directory))
    click.echo(json.dumps(found, indent=2) if as_json else render_status(found))
    click.get_current_context().exit(Exit.DAMAGED if found["damaged"] else Exit.DONE)
