"""Which neurons of the MLP fire for which relation.

R relations · F neurons
"""

import numpy as np

from geomem.analysis.facts.network import Doubles, Facts

MAX_SUBJECTS = 2_048
ALWAYS, NEVER = 0.95, 0.05


def firing(facts: Facts) -> Doubles:
    """Share of the subjects for which each neuron fires at each relation, [R, F]."""
    assert facts.network is not None
    some = facts.subjects[:MAX_SUBJECTS]
    rates = [(facts.network.states(r, some).summed > 0).mean(0) for r in range(facts.relations)]
    return np.stack(rates)


def gate_measures(rates: Doubles) -> dict[str, float]:
    """What firing rates [R, F] come to.

    gates_open: mean rate; gates_fixed: share of pairs of relation and neuron where the relation
    alone decides, whatever the subject; gates_select: share of neurons that fire always at one
    relation and never at another; gates_overlap: mean cosine of the rates of two relations.
    """
    fixed = (rates > ALWAYS) | (rates < NEVER)
    select = (rates > ALWAYS).any(0) & (rates < NEVER).any(0)
    found = {
        "gates_open": float(rates.mean()),
        "gates_fixed": float(fixed.mean()),
        "gates_select": float(select.mean()),
    }
    if len(rates) > 1:
        norms = np.linalg.norm(rates, axis=1)
        unit = rates / np.where(norms > 0, norms, 1)[:, None]
        cosines = (unit @ unit.T)[np.triu_indices(len(rates), 1)]
        found["gates_overlap"] = float(cosines.mean())
    return found | {f"gates_open.{r}": float(rate) for r, rate in enumerate(rates.mean(1))}
