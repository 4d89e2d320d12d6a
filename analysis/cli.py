"""The command line `geomem-analyze`. Each command is imported only when it is called."""

import importlib
import sys

import click

COMMANDS = {
    "geometry": "Measure how embeddings lie.",
    "spectrum": "Compare embeddings with the graph's spectrum.",
    "recall": "Measure what is recalled, with intervals over seeds.",
    "figures": "Draw what a sweep has to show.",
    "report": "Write one HTML file that shows a sweep.",
}


class _LazyGroup(click.Group):
    """A group that knows its commands' names and imports a command when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"geomem.analysis.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="geomem")
def cli() -> None:
    """Look at what the runs of a sweep memorised, and how.

    \b
    Examples:
      geomem-analyze geometry sweeps/tiny_graphs --where model.kind=mamba
      geomem-analyze figures sweeps/path_star
    """


def main() -> None:
    """Run the command line; what the user can act on ends with its exit code and no traceback."""
    from geomem.train.errors import GeomemError

    try:
        cli()
    except GeomemError as error:
        lines = [f"error: {error}", *getattr(error, "__notes__", ())]
        click.echo("\n".join(lines), err=True)
        sys.exit(error.exit_code)
