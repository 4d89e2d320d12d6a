"""The commands of `geomem-bench`."""

from pathlib import Path

import click

from geomem.bench.throughput.catalog import POINTS
from geomem.train.paths import FOLDER

KNOWN_OPS = (
    "linear_cross_entropy",
    "selective_scan",
    "short_attention",
    "adamw_step",
    "add_norm",
    "bias_gelu",
    "dropout",
    "mamba_step",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="geomem")
def cli() -> None:
    """Measure geomem against its peers and against what the device can do.

    \b
    Examples:
      geomem-bench kernels --op selective_scan --out bench_scan
      geomem-bench throughput --point tiny --out bench_tiny
    """


@cli.command(short_help="Check kernels against fp64, then time them and their peers.")
@click.option("--op", "ops", multiple=True, type=click.Choice(KNOWN_OPS), help="Op; repeatable.")
@click.option("--all", "every", is_flag=True, help="All ops.")
@click.option("--out", type=FOLDER, help="Folder for kernels.json and PNGs.")
@click.option("--smoke", is_flag=True, help="Tiny sizes, a few seconds.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--seconds", type=click.FloatRange(min=1), help="Time limit; 420 on CUDA, else 240.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of PyTorch on the CPU.")
def kernels(
    ops: tuple[str, ...],
    every: bool,
    out: Path | None,
    smoke: bool,
    device: str,
    seconds: float | None,
    threads: int | None,
) -> None:
    """Check every implementation of an op against fp64, then time them in turns.

    The table goes to stdout, progress to stderr. A variant whose result is wrong is timed and
    marked; what cannot run, finds no memory or no time is listed with the reason.
    """
    if bool(ops) == every:
        raise click.UsageError("give either --all or one --op at least")
    from geomem.bench.kernels import Request, run
    from geomem.bench.record import check_folder
    from geomem.bench.table import table

    if out is not None:
        check_folder(out)
    try:
        result = run(Request(ops, device, smoke, seconds, threads, out))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo(table(result.rows))


@cli.command(short_help="Compare training with a plain PyTorch loop.")
@click.option(
    "--point", "points", multiple=True, type=click.Choice(list(POINTS)), help="Repeatable."
)
@click.option("--all", "every", is_flag=True, help="All points.")
@click.option("--out", type=FOLDER, help="Folder for throughput.json and PNGs.")
@click.option("--smoke", is_flag=True, help="Tiny sizes, some seconds.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--seconds", type=click.FloatRange(min=1), default=120.0, help="Timing, per point.")
@click.option("--compile/--no-compile", "compiled", default=True, help="Against torch.compile too.")
@click.option("--threads", type=click.IntRange(min=1), help="Of a process on the CPU, at most.")
@click.option("--profile", is_flag=True, help="Show where a step's time goes instead.")
def throughput(
    points: tuple[str, ...],
    every: bool,
    out: Path | None,
    smoke: bool,
    device: str,
    seconds: float,
    compiled: bool,
    threads: int | None,
    profile: bool,
) -> None:
    """Compare training end to end with a plain PyTorch loop, with and without torch.compile.

    All train the same model on the same examples from the same start; their first losses are
    compared, and a point where they differ is not timed (exit code 1). Then all take turns in
    short windows, and ratios are of windows of the same round. The table goes to stdout, progress
    to stderr.

    \b
    Example:
      geomem-bench throughput --point tiny --point g256 --out DIR
    """
    if bool(points) == every:
        raise click.UsageError("give either --all or one --point at least")
    from geomem.bench.record import check_folder
    from geomem.bench.throughput.losses import DIFFERENT
    from geomem.bench.throughput.session import Request, run
    from geomem.bench.throughput.tables import tables

    if out is not None:
        check_folder(out)
    names = list(POINTS) if every else list(dict.fromkeys(points))
    try:
        result = run(Request(names, device, smoke, seconds, compiled, threads, profile, out))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo(tables(result.rows))
    if any(row.status.startswith(DIFFERENT) for row in result.rows):
        click.get_current_context().exit(1)
