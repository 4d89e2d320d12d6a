"""What the command lines share: a group that imports late, and errors without a traceback."""

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import click

from geomem.train.errors import GeomemError


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports a command when it runs.

    `package` has a module for each name in `summaries`, with the click command as `command`.
    """

    def __init__(
        self, *args: Any, package: str, summaries: Mapping[str, str], **attrs: Any
    ) -> None:
        super().__init__(*args, **attrs)
        self._package, self._summaries = package, summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._summaries:
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name}")
        command: click.Command = module.command
        command.short_help = self._summaries[cmd_name]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))


def run(cli: click.Group) -> None:
    """Run a command line; what the user can act on ends with its message and its exit code."""
    try:
        cli()
    except GeomemError as error:
        lines = [f"error: {error}", *getattr(error, "__notes__", ())]
        click.echo("\n".join(lines), err=True)
        sys.exit(error.exit_code)
