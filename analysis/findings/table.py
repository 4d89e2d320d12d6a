"""Judged findings as a table on the terminal, as records for JSON, and their rules as text."""

import math
import statistics
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from geomem.analysis.findings.finding import MIN_SEEDS, Check, Finding, Judged
from geomem.train.sweep.cells import print_cells, print_text
from geomem.train.sweep.table import spread
from geomem.train.sweep.words import plural

HOLDS = {True: "yes", False: "no", None: "–"}
WIDTH = 96
_HEAD = ("finding", "check", "ours, over seeds", "asked", "holds", "the paper", "verdict")


def print_findings(found: Sequence[Judged]) -> None:
    """One line per check; findings whose runs are missing are named under the table."""
    lines = []
    for judged in found:
        for at, check in enumerate(judged.checks if tried(judged) else ()):
            title = f"{judged.finding.number} {judged.finding.title}" if at == 0 else ""
            paper, verdict = (judged.finding.paper, judged.verdict) if at == 0 else ("", "")
            cells = (check.what, ours(check), check.asked, HOLDS[check.holds], paper, verdict)
            lines.append((title, *cells))
    if lines:
        print_cells(_HEAD, lines, 1, _HEAD)
    if missing := [judged.finding for judged in found if not tried(judged)]:
        print_text(f"not tested, as runs are missing: {named(missing)}")


def tried(judged: Judged) -> bool:
    """Whether there are runs for one of the checks."""
    return any(check.seeds for check in judged.checks)


def ours(check: Check) -> str:
    """Median [lowest–highest] and the number of seeds, or what is lacking."""
    count = lacks(check) or plural(len(check.values), "seed")
    return f"{spread(check.values)}, {count}" if check.values else count


def lacks(check: Check) -> str:
    """What a verdict lacks: runs, seeds, or what a run needs for a value; empty if nothing."""
    known = len(check.values)
    if known >= MIN_SEEDS:
        return ""
    if not check.seeds:
        return "no run"
    seeds = plural(check.seeds, "seed")
    if known < check.seeds:
        seeds = f"{known} of {seeds} with a value" + f" (needs {check.needs})" * bool(check.needs)
    return f"{seeds}, {MIN_SEEDS} needed"


def named(findings: Iterable[Finding]) -> str:
    """Their numbers and titles."""
    return "; ".join(f"{finding.number} {finding.title}" for finding in findings)


def rules(findings: Iterable[Finding]) -> str:
    """Every finding with what the paper reports and the rule that decides."""
    return "\n\n".join(
        "\n".join(
            [
                f"{finding.number}  {finding.title}",
                *_paragraph("paper", finding.paper),
                *_paragraph("rule", finding.rule),
            ]
        )
        for finding in findings
    )


def _paragraph(name: str, text: str) -> list[str]:
    lead = f"    {name}: "
    rest = " " * len(lead)
    return textwrap.wrap(
        text, WIDTH, initial_indent=lead, subsequent_indent=rest, break_on_hyphens=False
    )


def as_record(judged: Judged) -> dict[str, Any]:
    """What JSON holds of a finding; numbers that are not finite are null."""
    finding = judged.finding
    about = {"number": finding.number, "title": finding.title, "paper": finding.paper}
    checks = [_check_record(check) for check in judged.checks]
    return about | {"rule": finding.rule, "verdict": judged.verdict, "checks": checks}


def _check_record(check: Check) -> dict[str, Any]:
    values = [_number(value) for value in check.values]
    middle = _number(statistics.median(check.values)) if check.values else None
    return {
        "check": check.what,
        "runs": check.runs,
        "seeds": len(values),
        "values": values,
        "median": middle,
        "asked": check.asked,
        "holds": check.holds,
        "lacks": lacks(check) or None,
    }


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
