"""The commands of `geomem-bench`."""

import click

KNOWN_OPS = ("linear_cross_entropy", "selective_scan", "mamba_step")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Measure geomem against its peers and against what the device can do."""


@cli.command()
@click.option("--op", "ops", multiple=True, type=click.Choice(KNOWN_OPS), help="Op; repeatable.")
@click.option("--all", "every", is_flag=True, help="All ops.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder for kernels.json and PNGs.")
@click.option("--smoke", is_flag=True, help="Tiny sizes, a few seconds.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--seconds", type=click.FloatRange(min=1), help="Time limit; 420 on CUDA, else 240.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of PyTorch on the CPU.")
def kernels(
    ops: tuple[str, ...],
    every: bool,
    out: str | None,
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
    from geomem.bench.table import table

    try:
        result = run(Request(ops, device, smoke, seconds, threads, out))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo(table(result.rows))
