"""`geomem-train doctor`: what this machine offers to a sweep."""

import click


@click.command(name="doctor")
def command() -> None:
    """Print versions, devices and cores, and whether locks work in the current folder.

    \b
    Example:
      geomem-train doctor
    """
    from geomem.train.sweep.machine import describe_machine

    found = describe_machine()
    width = max(len(name) for name in found)
    for name, value in found.items():
        click.echo(f"{name:<{width}}  {value}")
