"""`geomem-analyze findings`: which findings of the paper the runs of sweeps reproduce."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from geomem.analysis.commands.options import where_option
from geomem.train.paths import FILE, PATH

if TYPE_CHECKING:
    from geomem.analysis.findings import Judged
    from geomem.analysis.sweeps import Sweep


@click.command(name="findings")
@click.argument("sweeps", metavar="SWEEP...", nargs=-1, type=PATH)
@where_option
@click.option("--json", "as_json", is_flag=True, help="Print every value, as JSON.")
@click.option(
    "--html",
    metavar="FILE",
    type=FILE,
    help="Write a page with the tables and a figure per finding, too.",
)
@click.option("--rules", "only_rules", is_flag=True, help="Print the rules and end.")
def command(
    sweeps: tuple[Path, ...],
    conditions: tuple[str, ...],
    as_json: bool,
    html: Path | None,
    only_rules: bool,
) -> None:
    """Judge the findings of arXiv 2510.26745 on the runs of one or more sweeps.

    Each finding chooses the runs that it is about by their configuration. The verdict follows from
    a stated rule (--rules): reproduced where every check holds, not reproduced where one does not,
    and not tested where runs are missing, or a check has values of fewer than five seeds; runs
    that are compared on one graph need as many on every side. Where several configurations would
    do, the one with the best median stands for them. Accuracies are those on held-out paths; a
    run that diverged got nothing right.

    \b
    Examples:
      geomem-analyze findings sweeps/path_star
      geomem-analyze findings sweeps/paper_* --html findings.html
      geomem-analyze findings --rules
    """
    from geomem.analysis.commands.tables import chosen_of_all
    from geomem.analysis.counting import counted
    from geomem.analysis.findings import FINDINGS, judge
    from geomem.analysis.findings.table import print_findings, rules

    if only_rules:
        click.echo(rules(FINDINGS))
        return
    if not sweeps:
        raise click.UsageError("Missing argument 'SWEEP...'.")
    runs = chosen_of_all(sweeps, conditions)
    found = []
    with counted(len(FINDINGS), "judged", "finding") as passed:
        for finding in FINDINGS:
            found.append(judge(finding, runs.members))
            passed(1)
    if html is not None:
        _write_page(html, runs, found)
    if as_json:
        click.echo(json.dumps(_record(sweeps, runs, found), indent=2, ensure_ascii=False))
    else:
        print_findings(found)


def _record(sweeps: tuple[Path, ...], runs: "Sweep", found: "list[Judged]") -> dict[str, object]:
    from geomem.analysis.findings import MIN_SEEDS
    from geomem.analysis.findings.table import as_record

    return {
        "sweeps": [sweep.resolve().name for sweep in sweeps],
        "runs": len(runs),
        "seeds_needed": MIN_SEEDS,
        "findings": [as_record(judged) for judged in found],
    }


def _write_page(path: Path, runs: "Sweep", found: "list[Judged]") -> None:
    from geomem.analysis.commands.figures import need_matplotlib

    need_matplotlib()
    from geomem.analysis.report.findings import write_findings

    click.echo(write_findings(runs, found, path), err=True)
