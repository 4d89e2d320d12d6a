"""Finding 2: leaf and first hop of an arm lie close, on arms never trained on too."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from geomem.analysis.figures.heat_maps import leaf_by_first_hop
from geomem.analysis.findings.choice import EDGES, PATHS, WHOLE, choose, stars
from geomem.analysis.findings.embedded import own_arm
from geomem.analysis.findings.finding import MIN_SEEDS, Check, Finding
from geomem.analysis.findings.measures import of_embedding
from geomem.analysis.findings.rules import every_at_least, most_above
from geomem.analysis.findings.settings import (
    best,
    best_group,
    difference,
    families,
    side_by_side,
)
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENOUGH_ARMS, CLOSE = 128, 0.95
auc, contrast = of_embedding("auc", own_arm), of_embedding("contrast", own_arm)


def _runs(members: Sequence[Member]) -> dict[tuple[str, str], list[Member]]:
    """By model, and by what was trained."""
    own = stars(members, ENOUGH_ARMS)
    return {
        (kind, name): choose(own, recipe, WHOLE, {"model.kind": kind, "task.self_edges": False})
        for kind in ("transformer", "mamba")
        for name, recipe in (("paths", PATHS), ("edges only", EDGES))
    }


def _checks(members: Sequence[Member]) -> list[Check]:
    runs, what = _runs(members), "AUC of a leaf's own first hop"
    transformer = best(runs["transformer", "paths"], auc)
    mamba = [best_group(runs["mamba", name], auc) for name in ("paths", "edges only")]
    paths, edges = side_by_side(mamba, auc)
    both = _longest([*runs["transformer", "paths"], *runs["transformer", "edges only"]])
    return [
        every_at_least(f"Transformer, paths: {what}", transformer, CLOSE),
        every_at_least(f"Mamba, paths: {what}", paths, CLOSE),
        most_above(
            "Transformer: how much closer own first hops lie, with paths less with edges only",
            difference(*side_by_side(both, contrast)),
        ),
        every_at_least(f"Mamba, edges only: {what}", edges, CLOSE),
    ]


def _longest(members: Sequence[Member]) -> tuple[list[Member], list[Member]]:
    """Runs with paths and with edges only, all else equal, where arms are longest.

    Of those with enough seeds on either side, else of those with most of them.
    """
    found = [
        (family.get("mixed", []), family.get("edges_only", []))
        for family in families(members, "task.recipe")
    ]
    return max(
        filter(all, found),
        key=lambda sides: (min(MIN_SEEDS, *map(len, sides)), sides[0][0].pack.shape("arms")[1]),
        default=([], []),
    )


def _figure(members: Sequence[Member]) -> "Figure | None":
    """The configurations that stand for the checks."""
    runs = _runs(members)
    shown = [m for own in runs.values() for m in best_group(own, auc)]
    both = _longest([*runs["transformer", "paths"], *runs["transformer", "edges only"]])
    more = [member for side in both for member in side if member not in shown]
    return leaf_by_first_hop([*shown, *more])


CLOSENESS = Finding(
    "2",
    "Leaf and first hop of an arm lie close, on unseen arms too",
    "the diagonal of leaf × first hop is dark; weaker from edges alone, but for Mamba",
    f"On path-stars of {ENOUGH_ARMS} or more arms, every seed: of the first hops of other arms a "
    f"share of at least {CLOSE:g} lies further from a held-out leaf than its own arm's (AUC), for "
    "Transformer and Mamba trained with paths, and for Mamba on edges alone. Cosine distance of "
    "other first hops less that of the own one: larger with paths than with edges alone, all else "
    "equal, in at least 80 % of seeds, for the Transformer on the longest arms that were run both "
    "ways. No self-edges.",
    _checks,
    _figure,
)
