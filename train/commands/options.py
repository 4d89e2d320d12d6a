"""Options that several commands have."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from geomem.train.paths import FILE

if TYPE_CHECKING:
    from geomem.train.config.execution import Execution

set_option = click.option(
    "--set",
    "sets",
    metavar="KEY=VALUE",
    multiple=True,
    help="Set a field of every run, or of execution; may be repeated.",
)

tuning_option = click.option(
    "--tuning",
    metavar="FILE",
    type=FILE,
    help="Let sizes and workers go by what 'geomem-train tune' measured; execution.tuning.",
)


def with_tuning(execution: "Execution", tuning: Path | None) -> "Execution":
    """The settings with the file of --tuning, if there is one."""
    if tuning is None:
        return execution
    return execution.model_copy(update={"tuning": str(tuning.absolute())})
