"""Answers of a network whose subjects are set by hand: facts exchanged, and facts never trained.

N subjects · R relations · D width. Everything but the subjects stays as it was trained.
"""

import numpy as np

from geomem.analysis.facts.maps import ReadOut, centred, composed, fitted_maps, read_out
from geomem.analysis.facts.network import Doubles, Facts, Network
from geomem.analysis.facts.superposition import permuted

MAX_SUBJECTS = 2_048
"""That are asked; of more, a random choice."""
SCALES = tuple(2.0**power for power in range(-3, 6))


def chosen(facts: Facts, rng: np.random.Generator) -> Facts:
    """The facts of as many subjects as are asked."""
    return facts.only(rng.permutation(len(facts.subjects))[:MAX_SUBJECTS])


def read_out_scale(facts: Facts, readout: ReadOut) -> float:
    """kappa / eta: what the learned subjects say to the network, over what T would make them say.

    kappa is the slope of (S - mean) J on the attributes X, eta that of X T J.
    """
    subjects, made = centred(facts.subjects), composed(facts, readout.inverse)
    kappa = eta = 0.0
    for r, jacobian in enumerate(readout.jacobians):
        known = facts.known(r)
        kappa += float((subjects @ jacobian * known).sum())
        eta += float((made @ jacobian * known).sum())
    return kappa / eta if eta else float("nan")


def exchange(facts: Facts, readout: ReadOut, rng: np.random.Generator) -> tuple[float, float]:
    """Give each subject another one's component of one relation, for each relation in turn.

    Returns the share of answers to that relation that are the other subject's now, and the share
    of those to the other relations that stayed right (NaN if there are none).
    """
    scale, asked = read_out_scale(facts, readout), chosen(facts, rng)
    assert facts.network is not None
    target, others = [], []
    for r in range(facts.relations):
        wanted = asked.answers.copy()
        wanted[r] = rng.permutation(wanted[r])
        moved = (asked.known(r, wanted) - asked.known(r)) @ readout.inverse[r]
        right = facts.network.accuracy(asked.subjects + scale * moved, wanted)
        target.append(right[r])
        others += [*right[:r], *right[r + 1 :]]
    return float(np.mean(target)), float(np.mean(others)) if others else float("nan")


def zero_shot(facts: Facts, readout: ReadOut, rng: np.random.Generator) -> dict[str, float]:
    """Accuracy on bijections that were never trained, by subjects set from what was learned.

    zero_shot: e_s = mean + scale * sum_r X'_r T_r, T from the network alone; zero_shot_ridge: with
    maps fitted to the old subjects. Controls: _old subjects; _wrong: T and maps of the relation
    beside (NaN if there is one alone); _untrained: see `untrained_zero_shot`.
    """
    network = facts.network
    assert network is not None
    new = permuted(facts.answers, rng)
    which = rng.permutation(len(facts.subjects))[:MAX_SUBJECTS]
    asked, answers, mean = facts.only(which), new[:, which], facts.subjects.mean(0)
    closed, fitted = read_out_scale(facts, readout) * readout.inverse, fitted_maps(_some(facts))

    def right(maps: Doubles) -> float:
        subjects = mean + composed(asked, maps, answers)
        return float(network.accuracy(subjects, answers).mean())

    alone = facts.relations == 1
    return {
        "zero_shot": right(closed),
        "zero_shot_ridge": right(fitted),
        "zero_shot_old": float(network.accuracy(asked.subjects, answers).mean()),
        "zero_shot_wrong": float("nan") if alone else right(np.roll(closed, 1, 0)),
        "zero_shot_ridge_wrong": float("nan") if alone else right(np.roll(fitted, 1, 0)),
        "zero_shot_untrained": untrained_zero_shot(facts, rng),
    }


def _some(facts: Facts) -> Facts:
    return facts.only(np.arange(min(len(facts.subjects), 2 * MAX_SUBJECTS)))


def untrained_zero_shot(facts: Facts, rng: np.random.Generator) -> float:
    """The closed form on a network as the run's was before training, at the scale that suits best.

    An untrained network has learned nothing that could fix the scale, so it gets the best one.
    """
    network, subjects = drawn_network(facts, rng)
    readout = read_out(network, subjects)
    asked = chosen(facts, rng)
    attributes = network.attributes
    centres = np.stack([attributes[row].mean(0) for row in facts.answers])
    made = sum(
        (attributes[row] - centres[r]) @ readout.inverse[r] for r, row in enumerate(asked.answers)
    )
    found = [network.accuracy(scale * made, asked.answers).mean() for scale in SCALES]
    return float(np.max(found))  # NaN, as where no neuron fires, wins over what max() would keep


def drawn_network(facts: Facts, rng: np.random.Generator) -> tuple[Network, Doubles]:
    """A network and subjects drawn as the run's initialisation says."""
    model = facts.config["model"]
    D, F = model["width"], model["mlp_width"]
    unit = D**-0.5

    def normal(rows: int, columns: int, std: float) -> Doubles:
        return std * rng.standard_normal((rows, columns))

    def turned() -> Doubles:
        drawn = normal(D, D, unit)
        return np.linalg.qr(drawn)[0] if model["attention_start"] == "orthogonal" else drawn

    subjects = normal(len(facts.subjects), D, model["subject_std"])
    attributes = normal(len(facts.attributes), D, model["attribute_std"])
    return Network(
        relations=normal(facts.relations, D, model["relation_std"]),
        attributes=subjects if model["tie"] else attributes,
        positions=normal(2, D, model["position_std"] * unit),
        query=normal(D, D, model["query_std"] * unit) @ normal(D, D, unit).T * unit,
        mixing=turned() @ turned(),
        up=normal(D, F, (2 / D) ** 0.5),
        up_bias=np.zeros(F),
        down=normal(F, D, F**-0.5),
        down_bias=np.zeros(D),
        offset=0.0,
        token_residual=model["token_residual"],
        mlp_residual=model["mlp_residual"],
    ), subjects
