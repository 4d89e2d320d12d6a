"""`geomem-train schema`: the JSON Schema of grid files."""

import json

import click


@click.command(name="schema")
def command() -> None:
    """Print the JSON Schema (2020-12) of grid files, for completion and checks in editors.

    With yaml-language-server (VS Code, Neovim and others), this first line of a grid file
    switches it on:

    \b
      # yaml-language-server: $schema=geomem.schema.json

    \b
    Example:
      geomem-train schema > geomem.schema.json
    """
    from geomem.train.config.schema import grid_schema

    click.echo(json.dumps(grid_schema(), indent=2))
