"""The command line `geomem-train`. Each command is imported only when it is called."""

import importlib
import sys

import click

COMMANDS = {
    "sweep": "Train every run of a grid file and leave packs.",
    "plan": "Show what a grid file would run, and in which stacks.",
    "status": "Show how far a sweep is.",
    "results": "Show or save the measures of a sweep's runs.",
    "export": "Save embeddings of runs for other programs.",
    "verify": "Check every committed byte of a sweep.",
    "schema": "Print the JSON Schema of grid files, for editors.",
    "doctor": "Print what this machine offers to a sweep.",
}


class _LazyGroup(click.Group):
    """A group that knows its commands' names and imports a command when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"geomem.train.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="geomem")
def cli() -> None:
    """Train thousands of compact sequence models together and keep what they memorised.

    \b
    Examples:
      geomem-train plan grid.yaml
      geomem-train sweep grid.yaml --out sweeps/first
      geomem-train results sweeps/first --csv > results.csv
    """


def main() -> None:
    """Run the command line; what the user can act on ends with a message and no traceback."""
    from geomem.train.errors import GeomemError

    try:
        cli()
    except GeomemError as error:
        lines = [f"error: {error}", *getattr(error, "__notes__", ())]
        click.echo("\n".join(lines), err=True)
        sys.exit(error.exit_code)
