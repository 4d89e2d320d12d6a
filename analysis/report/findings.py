"""Findings as a part of a page: verdict, rule, checks and the figure in the paper's form."""

from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path

from geomem.analysis.findings import Check, Judged
from geomem.analysis.findings.table import HOLDS, named, ours, tried
from geomem.analysis.report.fill import fill, resource
from geomem.analysis.report.pictures import picture
from geomem.analysis.sweeps import Member, Sweep
from geomem.train.packs import atomic_write, make_folder
from geomem.train.sweep.words import plural

HEADS = ("check", "ours: median [lowest–highest] over seeds", "asked", "holds", "runs")


def write_findings(sweep: Sweep, found: Sequence[Judged], out: Path) -> Path:
    """Write a page of nothing but findings, and return its path. Raises DiskError."""
    make_folder(out.parent)
    reproduced = sum(judged.verdict == "reproduced" for judged in found)
    share = f"{reproduced} of {plural(len(found), 'finding')} reproduced"
    summary = f"{share}, on {plural(len(sweep), 'run')}. geomem {version('geomem')}."
    text = fill(
        resource("findings.html"),
        {
            "style": resource("page.css"),
            "summary": escape(summary),
            "findings": findings(sweep.members, found),
        },
    )
    atomic_write(out, text.encode())
    return out


def findings(members: Sequence[Member], found: Sequence[Judged]) -> str:
    """HTML of all findings that some run has a value for; the others are only named."""
    parts = [_finding(members, judged) for judged in found if tried(judged)]
    if missing := [judged.finding for judged in found if not tried(judged)]:
        parts.append(f'<p class="note">Not tested here: {escape(named(missing))}.</p>')
    return "".join(parts)


def _finding(members: Sequence[Member], judged: Judged) -> str:
    finding, verdict = judged.finding, judged.verdict
    heads = "".join(f'<th scope="col">{head}</th>' for head in HEADS)
    lines = "".join(map(_line, judged.checks))
    figure = finding.figure(members)
    shown = picture(f"finding_{finding.number}", figure) if figure else ""
    return (
        f'<article class="finding"><h3>{escape(finding.number)} · {escape(finding.title)} '
        f'<span class="verdict {verdict.replace(" ", "-")}">{verdict}</span></h3>'
        f"<p>The paper: {escape(finding.paper)}.</p>"
        f'<p class="note">Rule: {escape(finding.rule)}</p>'
        f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>'
        f"</div>{shown}</article>"
    )


def _line(check: Check) -> str:
    cells = (check.what, ours(check), check.asked, HOLDS[check.holds], check.runs)
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
