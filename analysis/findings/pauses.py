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
    best,
    difference,
    families,
)
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENOUGH_ARMS = 128
RANKED = 0.7  # 0.5 is to be expected of five numbers where only none differs from the rest
speed = mean_over_training("exact_match")


def _by_pauses(members: Sequence[Member]) -> dict[int, list[Member]]:
    """Runs that differ in their pauses alone: where there are most numbers of them, 0 included."""
    own = choose(stars(members, ENOUGH_ARMS), PATHS, WHOLE, {"model.kind": "transformer"})
    found: dict[int, list[Member]] = {}
    for family in families(own, "task.pauses"):
        enough = {int(count): of for count, of in family.items() if len(of) >= MIN_SEEDS}  # type: ignore[arg-type]
        if 0 in enough and len(enough) > max(1, len(found)):
            found = dict(sorted(enough.items()))
    return found


def _checks(members: Sequence[Member]) -> list[Check]:
    by_count = {count: best(own, speed) for count, own in _by_pauses(members).items()}
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
    seeds = set.intersection(*(set(setting.by_seed) for setting in by_count.values()))
    values = {
        seed: float(spearmanr(list(by_count), [s.by_seed[seed] for s in by_count.values()])[0])
        for seed in sorted(seeds)
    }
    return Setting(f"pauses {', '.join(map(str, by_count))}", values)


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
