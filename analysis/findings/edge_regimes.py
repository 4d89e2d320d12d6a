"""Finding 6: which directions of the edges have to be memorised."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from geomem.analysis.findings.choice import PATHS, WHOLE, choose, stars
from geomem.analysis.findings.dots import dots
from geomem.analysis.findings.finding import Check, Finding
from geomem.analysis.findings.measures import final, lowest_unseen_token, per_run
from geomem.analysis.findings.rules import (
    all_or_none,
    every_at_most,
    median_at_least,
    median_at_most,
)
from geomem.analysis.findings.settings import best, on_one_graph
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENOUGH_ARMS = 128
REGIMES: dict[str, Mapping[str, object]] = {
    "both directions": {},
    "forward edges only": {"task.edges": "forward"},
    "backward edges only": {"task.edges": "backward"},
    "backward edges only, reversed paths": {"task.edges": "backward", "task.reverse_paths": True},
}
tokens = per_run("metrics/target_accuracy", lowest_unseen_token)
exact = final("exact_match")


def _regimes(members: Sequence[Member]) -> dict[str, list[Member]]:
    plain = {**PATHS, **WHOLE, "model.kind": "transformer"}
    sides = [choose(stars(members, ENOUGH_ARMS), plain, regime) for regime in REGIMES.values()]
    return dict(zip(REGIMES, on_one_graph(*sides), strict=True))


def _checks(members: Sequence[Member]) -> list[Check]:
    both, forward, backward, reverse = (best(own, tokens) for own in _regimes(members).values())
    what = "worst token that is not in the prompt"
    return all_or_none(
        [
            median_at_least(f"both directions: {what}", both, 0.9),
            every_at_most(f"forward edges only: {what}", forward, 0.05),
            median_at_most(f"backward edges only: {what}", backward, 0.5),
            median_at_least(f"backward edges only, reversed paths: {what}", reverse, 0.9),
        ]
    )


def _figure(members: Sequence[Member]) -> "Figure | None":
    regimes = _regimes(members)
    panels = {
        text: {
            name: list(values)
            for name, own in regimes.items()
            if (values := best(own, measure).by_seed.values())
        }
        for text, measure in (
            ("held-out accuracy of the worst token that is not in the prompt", tokens),
            ("held-out exact match, the given leaf included", exact),
        )
    }
    return dots(panels, "Paths by the directions of the memorised edges")


EDGE_REGIMES = Finding(
    "6",
    "Both directions of the edges are needed",
    "forward edges only: fails; backward only: reversed paths succeed, forward paths fail; both: "
    "succeeds",
    f"Transformers on one path-star of {ENOUGH_ARMS} or more arms; held-out accuracy of the worst "
    "target token that does not stand in the prompt: a median of at least 0.9 with both directions "
    "and with backward edges for reversed paths, at most 0.5 with backward edges for forward paths "
    "(median), at most 0.05 with forward edges alone (every seed). The leaf itself is left out: no "
    "example with backward edges has a held-out leaf as its target, so it cannot be copied.",
    _checks,
    _figure,
)
