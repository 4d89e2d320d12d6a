"""The command line `geomem-train`. Each command is imported only when it is called."""

import click

from geomem.train.lazy_cli import LazyGroup, run

COMMANDS = {
    "sweep": "Train every run of a grid file and leave packs.",
    "plan": "Show what a grid file would run, and in which stacks.",
    "tune": "Measure which sizes of stacks train a grid fastest here.",
    "status": "Show how far a sweep is.",
    "results": "Show or save the measures of a sweep's runs.",
    "export": "Save embeddings of runs for other programs.",
    "verify": "Check every committed byte of a sweep.",
    "schema": "Print the JSON Schema of grid files, for editors.",
    "doctor": "Print what this machine offers to a sweep.",
}


@click.group(
    cls=LazyGroup,
    package="geomem.train.commands",
    summaries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
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
    """Run the command line."""
    run(cli)


if __name__ == "__main__":
    main()
