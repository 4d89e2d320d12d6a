"""A finding: what the paper reports, checks by a stated rule, and the verdict they come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIN_SEEDS = 5
Verdict = Literal["reproduced", "not reproduced", "not tested"]


class Check(NamedTuple):
    """One thing that a rule asks for.

    what: of which runs, and which measure; asked: of their values, empty for what is only told;
    runs: the configuration that stands for them; values: one per seed; holds: None where fewer
    than five seeds have a value; seeds: that were run, with a value or not; needs: what a run has
    to have for a value.
    """

    what: str
    asked: str
    runs: str
    values: tuple[float, ...]
    holds: bool | None
    seeds: int = 0
    needs: str = ""


@dataclass(frozen=True)
class Finding:
    """One row of the paper's findings; `number` as in arXiv 2510.26745's summary here.

    rule: the checks in words; figure: the runs in the form that the paper draws them in.
    """

    number: str
    title: str
    paper: str
    rule: str
    checks: Callable[[Sequence[Member]], Sequence[Check]]
    figure: "Callable[[Sequence[Member]], Figure | None]"


class Judged(NamedTuple):
    """A finding with its checks on some runs, and what they come to."""

    finding: Finding
    checks: tuple[Check, ...]
    verdict: Verdict


def judge(finding: Finding, members: Sequence[Member]) -> Judged:
    """Check a finding on all of these runs; it chooses those that it is about itself."""
    checks = tuple(finding.checks(members))
    return Judged(finding, checks, verdict_of(checks))


def verdict_of(checks: Sequence[Check]) -> Verdict:
    """One failed check refutes; all of them have to hold; anything else is not tested."""
    asked = [check for check in checks if check.asked]
    if any(check.holds is False for check in asked):
        return "not reproduced"
    return "reproduced" if asked and all(check.holds for check in asked) else "not tested"
