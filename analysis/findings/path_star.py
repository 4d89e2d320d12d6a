"""Findings 1a and 1c: paths in-weights, and the hardest token of them alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from geomem.analysis.figures.evolution import curves, metric
from geomem.analysis.figures.groups import arm_count
from geomem.analysis.figures.size import accuracy_against_size
from geomem.analysis.findings.choice import NAMES, PATHS, WHOLE, choose, nodes, stars
from geomem.analysis.findings.finding import Check, Finding
from geomem.analysis.findings.measures import final, per_run
from geomem.analysis.findings.rules import every_at_least, median_at_least
from geomem.analysis.findings.settings import best, best_group, largest
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENOUGH_ARMS = 128
MODELS = ("transformer", "mamba")
exact, hop = final("exact_match"), final("first_hop")
HARDEST = {**PATHS, "task.target": "hardest_token"}
times_chance = per_run(
    "metrics/exact_match", lambda m: m.final("exact_match") * arm_count(m) if m.done else 0.0
)


def _own(members: Sequence[Member], kind: str, task: dict[str, object]) -> list[Member]:
    return choose(stars(members, ENOUGH_ARMS), task, WHOLE, {"model.kind": kind})


def _learned(members: Sequence[Member]) -> list[Check]:
    found = []
    for kind in MODELS:
        own = _own(members, kind, PATHS)
        what = f"{NAMES[kind]}: exact match on one graph of {ENOUGH_ARMS} or more arms"
        found.append(median_at_least(what, best(own, exact), 0.9))
        what = f"{NAMES[kind]}: exact match on its largest graph, in units of chance"
        found.append(every_at_least(what, best(largest(own, nodes), times_chance), 10))
    return found


def _hardest(members: Sequence[Member]) -> list[Check]:
    own = best(_own(members, "transformer", HARDEST), hop)
    found = [median_at_least("Transformer: first hop, trained on it alone", own, 0.9)]
    if mamba := _own(members, "mamba", HARDEST):
        what = "Mamba: first hop, trained on it alone"
        found.append(median_at_least(what, best(mamba, hop), 0.9))
    return found


def _against_size(members: Sequence[Member]) -> "Figure | None":
    """Of each model and size the configuration that stands for it."""
    own = choose(stars(members), PATHS, WHOLE)
    sizes = dict.fromkeys((m.config["model"]["kind"], nodes(m)) for m in own)
    best_of = [
        best_group([m for m in choose(own, {"model.kind": kind}) if nodes(m) == size], exact)
        for kind, size in sizes
    ]
    return accuracy_against_size([member for group in best_of for member in group])


def _first_hop_curves(members: Sequence[Member]) -> "Figure | None":
    rows = {"held-out first hop (share)": metric("first_hop")}
    shown = [m for kind in MODELS for m in best_group(_own(members, kind, HARDEST), hop)]
    return curves(shown, rows, "The hardest token, learned alone")


LEARNED = Finding(
    "1a",
    "In-weights path-star is learned",
    "up to 100 % at G(5000, 5), far above chance at G(10⁴, 6) and G(10⁴, 10), for Transformer and "
    "Mamba",
    f"For Transformer and for Mamba: held-out exact match has a median of at least 0.9 on one "
    f"path-star of {ENOUGH_ARMS} or more arms, and every seed reaches ten times chance "
    "(1 / arms) on the largest.",
    _learned,
    _against_size,
)
HARDEST_TOKEN = Finding(
    "1c",
    "The hardest token is learned alone",
    "the first hop is learned when it is the only target",
    f"Trained on the first hop alone, on a path-star of {ENOUGH_ARMS} or more arms, held-out "
    "first-hop accuracy has a median of at least 0.9; for the Transformer, and for Mamba if run.",
    _hardest,
    _first_hop_curves,
)
