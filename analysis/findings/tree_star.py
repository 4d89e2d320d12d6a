"""Finding 10: trees instead of arms."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from geomem.analysis.findings.choice import PATHS, WHOLE, choose
from geomem.analysis.findings.dots import dots
from geomem.analysis.findings.finding import Check, Finding
from geomem.analysis.findings.measures import final, per_run
from geomem.analysis.findings.rules import all_or_none, every_at_least, most_above, told
from geomem.analysis.findings.settings import (
    Measure,
    Setting,
    best,
    best_group,
    difference,
    on_one_graph,
    side_by_side,
)
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENOUGH_SUBTREES = 32
SPLITS = {"leaf": "at leaf", "first_token": "at first token"}
hop, exact = final("first_hop"), final("exact_match")
times_chance = per_run(
    "metrics/first_hop",
    lambda m: m.final("first_hop") * m.config["graph"]["arms"] if m.done else 0.0,
)


def _sides(members: Sequence[Member]) -> list[list[Member]]:
    trees = choose(members, PATHS, WHOLE, {"graph.kind": "tree_star", "model.kind": "transformer"})
    own = [m for m in trees if m.config["graph"]["arms"] >= ENOUGH_SUBTREES]
    return on_one_graph(*(choose(own, {"task.split": split}) for split in SPLITS))


def _checks(members: Sequence[Member]) -> list[Check]:
    sides = _sides(members)
    found = [
        every_at_least(f"split {name}: first hop, in units of chance", setting, 10)
        for name, setting in _by_split(sides, times_chance).items()
    ]
    apart = difference(*_by_split(sides, hop).values())
    found.append(most_above("first hop, split at leaf less split at first token", apart))
    exacts = _by_split(sides, exact).items()
    found += [told(f"split {name}: exact match", setting) for name, setting in exacts]
    return all_or_none(found)


def _by_split(sides: Sequence[Sequence[Member]], measure: Measure) -> dict[str, Setting]:
    own = side_by_side([best_group(side, measure) for side in sides], measure)
    return dict(zip(SPLITS.values(), own, strict=True))


def _figure(members: Sequence[Member]) -> "Figure | None":
    sides = dict(zip(SPLITS.values(), _sides(members), strict=True))
    panels = {
        text: {
            f"split {name}": list(values)
            for name, own in sides.items()
            if (values := best(own, measure).by_seed.values())
        }
        for text, measure in (
            ("held-out first hop (share)", hop),
            ("held-out exact match (share)", exact),
        )
    }
    return dots(panels, "Tree-star: leaves divided, or whole subtrees")


TREE_STAR = Finding(
    "10",
    "Tree-star: both splits above chance, at first token is harder",
    "both splits succeed above chance; the split at the first token is the harder one",
    f"Transformers on one tree-star of {ENOUGH_SUBTREES} or more subtrees: held-out first-hop "
    "accuracy is at least ten times chance (1 / subtrees) in every seed of both splits, and higher "
    "for the split at the leaf than at the first token in at least 80 % of seeds. Exact match is "
    "told, too.",
    _checks,
    _figure,
)
