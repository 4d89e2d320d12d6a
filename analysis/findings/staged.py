"""Finding 8: paths after edges reach a high peak and lose it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from geomem.analysis.figures.evolution import curves, metric
from geomem.analysis.findings.choice import PATHS, WHOLE, choose, stars
from geomem.analysis.findings.finding import Check, Finding
from geomem.analysis.findings.measures import fall, peak, peak_step
from geomem.analysis.findings.rules import (
    all_or_none,
    median_at_least,
    median_at_most,
    told,
)
from geomem.analysis.findings.settings import best_group, measured, on_one_graph
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENOUGH_ARMS = 128
HIGH, LOST, KEPT = 0.6, 0.2, 0.1
TARGETS = ("full_path", "hardest_token")
STAGED = {**PATHS, "task.recipe": "staged", "task.target": TARGETS}
highest, lost, moment = peak("first_hop"), fall("first_hop"), peak_step("first_hop")


def _sides(members: Sequence[Member]) -> list[list[Member]]:
    own = choose(stars(members, ENOUGH_ARMS), WHOLE, {"model.kind": "transformer"})
    return on_one_graph(choose(own, STAGED), choose(own, PATHS))


def _checks(members: Sequence[Member]) -> list[Check]:
    staged, mixed = (best_group(side, highest) for side in _sides(members))
    gone = "is lost at the end"
    return all_or_none(
        [
            median_at_least("staged: highest first-hop accuracy", measured(staged, highest), HIGH),
            told("staged: steps of the path stage until then", measured(staged, moment)),
            median_at_least(f"staged: how much of it {gone}", measured(staged, lost), LOST),
            median_at_most(f"mixed: how much {gone}", measured(mixed, lost), KEPT),
        ]
    )


def _figure(members: Sequence[Member]) -> "Figure | None":
    rows = {"held-out first hop (share)": metric("first_hop")}
    staged, mixed = _sides(members)
    sides = [*(choose(staged, {"task.target": target}) for target in TARGETS), mixed]
    shown = [member for side in sides for member in best_group(side, highest)]
    return curves(shown, rows, "Paths after edges (staged), and together with them (mixed)")


STAGED_PEAK = Finding(
    "8",
    "Staged training peaks high and does not stay there",
    "edges first, then paths: a high peak, unstable",
    f"Transformers on one path-star of {ENOUGH_ARMS} or more arms, held-out first-hop accuracy, "
    f"medians over seeds: the staged recipe reaches at least {HIGH:g} in its path stage and has "
    f"lost at least {LOST:g} of it at the end; the mixed recipe loses at most {KEPT:g}. The moment "
    "of the peak is told in steps of the path stage.",
    _checks,
    _figure,
)
