"""Finding 4: Node2Vec contracts onto the Fiedler-like vectors, with no constraint on its rank."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from geomem.analysis.figures.spectra_over_steps import spectra_over_steps
from geomem.analysis.findings.choice import TINY, choose, nodes, tiny
from geomem.analysis.findings.finding import Check, Finding
from geomem.analysis.findings.measures import per_run
from geomem.analysis.findings.rules import every_at_least, every_at_most
from geomem.analysis.findings.settings import Measure, Setting, best, best_group, together
from geomem.analysis.laplacian import spectral_reference
from geomem.analysis.spectrum import coefficient_residual, energy_share
from geomem.analysis.sweeps import Member

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TIED = {"model.kind": "node2vec", "model.tie": True}
HISTORY, KEPT = "history/embedding", "train.history_every"
FULL, STILL = 0.95, 0.01


def energy(member: Member, at: int) -> float:
    """Share of ‖V‖² in the constant and the Fiedler-like vectors, two of these at least."""
    embedding = member.tensor(HISTORY)[at]
    reference = spectral_reference(member.tensor("edges"), len(embedding))
    both = [reference.constants, reference.vectors[:, reference.leading(2)]]
    basis = np.linalg.qr(np.concatenate(both, 1))[0]
    return float(energy_share(embedding[None], basis)[0])


def residual(member: Member, at: int) -> float:
    """‖CV‖ / ‖V‖: 0 where V lies in the null space of C."""
    return float(coefficient_residual(member.tensor(HISTORY)[[at]], member.tensor("edges"))[0])


at_end = per_run(HISTORY, lambda m: energy(m, -1), KEPT)
gained = per_run(HISTORY, lambda m: energy(m, -1) - energy(m, 0), KEPT)
left = per_run(HISTORY, lambda m: residual(m, -1), KEPT)
drop = per_run(HISTORY, lambda m: residual(m, 0) / max(residual(m, -1), 1e-300), KEPT)


def _own(members: Sequence[Member]) -> dict[str, list[Member]]:
    """Tied Node2Vec on the tiny graphs, wider than there are nodes."""
    return {
        name: [m for m in choose(own, TIED) if m.config["model"]["width"] > nodes(m)]
        for name, own in tiny(members).items()
    }


def _worst(members: Sequence[Member], measure: Measure, lowest: bool = True) -> Setting:
    own = _own(members)
    found = [best(own.get(name, []), measure, lowest) for name in TINY]
    return together(found, "Node2Vec, four tiny graphs, width above nodes", min if lowest else max)


def _checks(members: Sequence[Member]) -> list[Check]:
    worst = "the worst of four tiny graphs"
    return [
        every_at_least(
            f"energy on constant and Fiedler-like vectors at the end, {worst}",
            _worst(members, at_end),
            FULL,
        ),
        every_at_least(f"how much of it was gained, {worst}", _worst(members, gained), 0.3),
        every_at_most(
            f"‖CV‖ / ‖V‖ at the end, {worst}", _worst(members, left, lowest=False), STILL
        ),
        every_at_least(
            f"how many times smaller than at the start, {worst}", _worst(members, drop), 10
        ),
    ]


def _figure(members: Sequence[Member]) -> "Figure | None":
    shown = [best_group(own, at_end) for own in _own(members).values()]
    return spectra_over_steps([member for own in shown for member in own])


NODE2VEC = Finding(
    "4",
    "Node2Vec contracts onto the Fiedler-like vectors, at any width",
    "V's columns end on the Fiedler-like vectors while C's null space takes them in, with m > n",
    "Tied Node2Vec wider than the graph has nodes, on each of the four tiny graphs and in every "
    f"seed: at least {FULL:g} of ‖V‖² ends on the constant and the Fiedler-like vectors (whole "
    "eigenspaces, two vectors at least), 0.3 of it gained by training; ‖CV‖ / ‖V‖ ends at "
    f"{STILL:g} or less, a tenth or less of its start. Needs train.history_every.",
    _checks,
    _figure,
)
