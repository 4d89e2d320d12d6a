"""Options that several commands have."""

import click

set_option = click.option(
    "--set",
    "sets",
    metavar="KEY=VALUE",
    multiple=True,
    help="Set a field of every run, or of execution; may be repeated.",
)
