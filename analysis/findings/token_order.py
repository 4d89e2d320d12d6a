"""Finding 1b: in which order the tokens of a path are learned."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from geomem.analysis.figures.tokens import accuracy_per_token
from geomem.analysis.findings.choice import PATHS, WHOLE, choose, stars
from geomem.analysis.findings.finding import Check, Finding
from geomem.analysis.findings.measures import RESOLVED, cascade, per_run
from geomem.analysis.findings.rules import median_at_least, median_at_most
from geomem.analysis.findings.settings import best, best_group
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CASCADE = 0.1
IN_CONTEXT = {
    "task.kind": "in_context",
    "task.target": "full_path",
    "task.teacherless": True,
    "task.reverse_paths": False,
}
lead = per_run("metrics/target_accuracy", cascade, RESOLVED)


def _in_weights(members: Sequence[Member]) -> list[Member]:
    return choose(stars(members), PATHS, WHOLE, {"model.kind": "transformer"})


def _in_context(members: Sequence[Member]) -> list[Member]:
    return choose(members, IN_CONTEXT)


def _checks(members: Sequence[Member]) -> list[Check]:
    return [
        median_at_most(
            "in-weights: smallest lead of a token over the one before it",
            best(_in_weights(members), lead),
            CASCADE,
        ),
        median_at_least(
            "in-context, teacherless: the same",
            best(_in_context(members), lead),
            CASCADE,
        ),
    ]


def _figure(members: Sequence[Member]) -> "Figure | None":
    """The runs that stand for either side."""
    shown = [
        member
        for own in (_in_weights(members), _in_context(members))
        for member in best_group(own, lead)
    ]
    return accuracy_per_token(shown)


TOKEN_ORDER = Finding(
    "1b",
    "No right-to-left cascade in-weights, a clear one in-context",
    "in-weights the tokens are not learned from right to left; in-context, teacherless, they are",
    "When is a token between root and goal known: held-out accuracy halfway from chance to 1. Its "
    "lead over the token before it, in units of the first hop's time, is at least "
    f"{CASCADE:g} for every token in-context (teacherless targets), and is not in-weights; medians "
    "over seeds of the smallest lead. At least ten measurements until the first hop is known.",
    _checks,
    _figure,
)
