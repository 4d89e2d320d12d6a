"""`geomem-train results`: the measures of a sweep's runs."""

import sys
from pathlib import Path

import click

from geomem.train.paths import FILE, PATH


@click.command(name="results")
@click.argument("directory", metavar="DIR", type=PATH)
@click.option("--csv", "as_csv", is_flag=True, help="Print one line per run, as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print one object per run, as JSON.")
@click.option(
    "--parquet",
    metavar="FILE",
    type=FILE,
    help="Save one row per run, and print the file's name; needs pyarrow.",
)
def command(directory: Path, as_csv: bool, as_json: bool, parquet: Path | None) -> None:
    """Show what the runs of the sweep in DIR came to.

    The table has one line per configuration: median [lowest–highest] of the main measures, at the
    end of training, over the seeds whose runs are done. CSV, JSON and Parquet have every run with
    its full configuration and all measures.

    \b
    Examples:
      geomem-train results sweeps/first
      geomem-train results sweeps/first --csv > results.csv
      geomem-train results sweeps/first --parquet results.parquet
    """
    from geomem.train.sweep.export import write_csv, write_json, write_parquet
    from geomem.train.sweep.folder import Folder
    from geomem.train.sweep.results import as_records, read_rows
    from geomem.train.sweep.state import read_state
    from geomem.train.sweep.table import print_table

    if as_csv + as_json + (parquet is not None) > 1:
        raise click.UsageError("give one of --csv, --json and --parquet")
    folder = Folder(directory)
    rows = read_rows(folder, read_state(folder))
    if as_csv:
        write_csv(as_records(rows), sys.stdout)
    elif as_json:
        write_json(as_records(rows), sys.stdout)
    elif parquet:
        write_parquet(as_records(rows), parquet)
        click.echo(parquet)
    else:
        print_table(rows)
