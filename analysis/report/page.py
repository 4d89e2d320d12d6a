"""The page: a template, filled with escaped text and data."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from geomem.analysis.figures import FIGURES, Passed, ignored
from geomem.analysis.figures.projection import Projection
from geomem.analysis.findings import FINDINGS, judge
from geomem.analysis.report.fill import fill, resource
from geomem.analysis.report.findings import findings
from geomem.analysis.report.limits import Limits
from geomem.analysis.report.pictures import pictures
from geomem.analysis.report.tables import configurations, measured_rows, run_table
from geomem.analysis.report.view import View, make_view
from geomem.analysis.sweeps import Sweep
from geomem.train.packs import atomic_write, make_folder

PARTS = 3 + len(FIGURES)
"""Of a page: the table, the view and the findings; and figures."""


def write_report(
    sweep: Sweep,
    out: Path,
    conditions: Sequence[str] = (),
    limits: Limits | None = None,
    projection: Projection = "pca",
    passed: Passed = ignored,
) -> Path:
    """Write one HTML file that needs nothing else, and return its path.

    The sweep has runs; the conditions by which they were chosen are only named. passed: told of
    each of PARTS that is done. Raises PackError for damage, MissingUmap, and DiskError if the file
    cannot be written.
    """
    limits = limits or Limits()
    make_folder(out.parent)
    atomic_write(out, _render(sweep, conditions, limits, projection, passed).encode())
    return out


def _render(
    sweep: Sweep,
    conditions: Sequence[str],
    limits: Limits,
    projection: Projection,
    passed: Passed,
) -> str:
    rows = measured_rows(sweep.members)
    passed(1)
    view = make_view(sweep.members, limits)
    passed(1)
    judged = [judge(finding, sweep.members) for finding in FINDINGS]
    passed(1)
    data = {"runs": view.runs, "graphs": view.graphs, "table": run_table(rows, limits)}
    counts = Counter[str](row.status for row in rows)
    title = sweep.path.resolve().name
    return fill(
        resource("page.html"),
        {
            "title": escape(title),
            "style": resource("page.css"),
            "summary": escape(_summary(len(rows), counts, conditions)),
            "configurations": configurations(rows, limits),
            "findings": findings(sweep.members, judged),
            "figures": pictures(sweep.members, projection, passed),
            "limits": escape(_stated(view, limits)),
            "data": in_script(data),
            "scripts": "".join(resource(f"{name}.js") for name in ("paint", "view", "runs")),
        },
    )


def in_script(data: Any) -> str:
    """JSON that can stand inside a script element, whatever its strings hold."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _summary(runs: int, counts: Mapping[str, int], conditions: Sequence[str]) -> str:
    states = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    chosen = f" Chosen by {' and '.join(conditions)}." if conditions else ""
    many = "1 run that has" if runs == 1 else f"{runs:,} runs that have"
    return f"{many} results: {states}.{chosen} geomem {version('geomem')}."


def _stated(view: View, limits: Limits) -> str:
    """What the view leaves out, in words."""
    if not view.runs:
        return "None of these runs learned one graph whose nodes could be shown."
    text = "Principal components of the last step, the same for all steps of a run."
    if view.left_out:
        text += (
            f" The view holds {len(view.runs)} runs, the first seed of each configuration first; "
            f"{view.left_out:,} more that are done did not fit."
        )
    if view.thinned:
        text += f" At most {limits.nodes:,} nodes and {limits.steps} steps of a run are kept."
    return text
