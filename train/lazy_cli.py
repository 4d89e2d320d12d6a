"""What the command lines share: a group that imports late, and errors without a traceback."""

import errno
import importlib
import io
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from geomem.train.errors import Exit, GeomemError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


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


def run(cli: click.Command) -> None:
    """Run a command line; what the user can act on ends with its message and its exit code."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not every terminal knows every letter
            stream.reconfigure(errors="backslashreplace")
    try:
        status = cli(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("interrupted; the same command starts again", err=True)
        sys.exit(Exit.INTERRUPTED)
    except GeomemError as error:
        lines = [f"error: {error}", *getattr(error, "__notes__", ())]
        click.echo("\n".join(lines), err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        click.echo(f"error: standard output: {error.strerror}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        sys.exit(Exit.DISK)
    sys.exit(status if isinstance(status, int) else 0)


def _open_closed_streams() -> None:
    """Where the caller closed stdin, stdout or stderr (`>&-`), put the null device.

    Python has None there, and the next file to be opened, a journal perhaps, would get the number:
    what a library prints would then go into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: the stream's
            os.set_inheritable(null, True)
            setattr(sys, name, os.fdopen(null, mode))
