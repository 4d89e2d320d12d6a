"""Finding 7: pause tokens and speed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scipy.stats import spearmanr

from geomem.analysis.figures.evolution import curves, metric
from geomem.analysis.findings.choice import PATHS, WHOLE, choose, stars
from geomem.analysis.findings.finding import MIN_SEEDS, Check, Finding
from geomem.analysis.findings.measures import mean_over_training
from geomem.analysis.findings.rules import median_at_least, most_above
from geomem.analysis.findings.settings import (
    NOTHING,
    Setting,
    difference,
    families,
    side_by_side,
    together,
)
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENOUGH_ARMS = 128
RANKED = 0.7  # 0.5 is to be expected of five numbers where only none differs from the rest
speed = mean_over_training("exact_match")


def _by_pauses(members: Sequence[Member]) -> dict[int, list[Member]]:
    """Runs that differ in their pauses alone: where there are most numbers of them, 0 included.

    Of numbers with enough seeds; without them, of those with fewer.
    """
    own = choose(stars(members, ENOUGH_ARMS), PATHS, WHOLE, {"model.kind": "transformer"})
    found = families(own, "task.pauses")
    for seeds in range(MIN_SEEDS, 0, -1):
        enough = [{n: of for n, of in family.items() if len(of) >= seeds} for family in found]
        most = max((by for by in enough if 0 in by and len(by) > 1), key=len, default={})
        if most:
            return {int(n): most[n] for n in sorted(most)}  # type: ignore[type-var, arg-type]
    return {}


def _checks(members: Sequence[Member]) -> list[Check]:
    own = _by_pauses(members)
    by_count = dict(zip(own, side_by_side(list(own.values()), speed), strict=True))
    most = difference(by_count[max(by_count)], by_count[0]) if by_count else NOTHING
    what = "mean over training of exact match"
    return [
        most_above(f"{what}, most pauses less none", most),
        median_at_least(f"rank correlation of pauses and {what}", _ranked(by_count), RANKED),
    ]


def _ranked(by_count: dict[int, Setting]) -> Setting:
    """Seed by seed, the Spearman correlation over at least three numbers of pauses."""
    if len(by_count) < 3:
        return NOTHING
    counts = list(by_count)
    return together(
        list(by_count.values()),
        f"pauses {', '.join(map(str, counts))}",
        lambda values: float(spearmanr(counts, values)[0]),
    )


def _figure(members: Sequence[Member]) -> "Figure | None":
    shown = [member for own in _by_pauses(members).values() for member in own]
    rows = {"held-out exact match (share)": metric("exact_match")}
    return curves(shown, rows, "Paths over training, by number of pause tokens")


PAUSES = Finding(
    "7",
    "More pause tokens, faster convergence",
    "accuracy rises earlier with more pause tokens",
    f"Transformers on one path-star of {ENOUGH_ARMS} or more arms that differ in their pauses "
    "alone, 0 among them. Mean of held-out exact match over all measurements of a training: higher "
    "with most pauses than with none in at least 80 % of seeds, and its rank correlation with the "
    f"number of pauses (three numbers at least) has a median of at least {RANKED:g}.",
    _checks,
    _figure,
)
