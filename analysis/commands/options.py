"""Options that several commands have."""

from collections.abc import Callable

import click

from geomem.train.paths import PATH

Command = Callable[..., None]


where_option = click.option(
    "--where",
    "conditions",
    metavar="FIELD=VALUE",
    multiple=True,
    help="Only runs that meet it, such as model.kind=mamba or arms>=256; may be repeated.",
)


def sweep_options(function: Command) -> Command:
    """Add SWEEP, as `sweep`, and --where, as `conditions`."""
    return click.argument("sweep", type=PATH)(where_option(function))


def form_options(line: str, record: str) -> Callable[[Command], Command]:
    """Return SWEEP, --where, --csv and --json; the words say in the help what these two print."""
    as_csv = click.option("--csv", "as_csv", is_flag=True, help=f"Print {line}, as CSV.")
    as_json = click.option("--json", "as_json", is_flag=True, help=f"Print {record}, as JSON.")
    return lambda function: sweep_options(as_csv(as_json(function)))


table_options = form_options("one line per run", "one object per run")
"""SWEEP, --where, --csv and --json."""


history_option = click.option(
    "--history", is_flag=True, help="One line per run and stored step; with --csv or --json."
)


def projection_option(of: str) -> Callable[[Command], Command]:
    """Return --projection; `of` says in the help what is projected."""
    return click.option(
        "--projection",
        type=click.Choice(["pca", "umap"]),
        default="pca",
        help=f"Of {of}; umap needs geomem[umap].",
    )
