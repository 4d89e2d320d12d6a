"""Whether a subject is the sum of its attributes, and whether they can be read off it.

N subjects · R relations · D width. All fits are scored on subjects that they never saw: with as
many numbers as these maps have, a fit reads random bijections off the subjects that it was made on.
"""

import numpy as np

from geomem.analysis.arrays import Ints
from geomem.analysis.facts.maps import ReadOut, centred, composed, fitted_maps, ridge_map
from geomem.analysis.facts.network import Doubles, Facts, highest, share

TEST_SHARE = 0.25
MAX_SUBJECTS = 4_096
"""That fits are made and scored on; of more, a random choice."""


def permuted(answers: Ints, rng: np.random.Generator) -> Ints:
    """Other bijections onto the same attributes, [R, N]."""
    return np.stack([rng.permutation(row) for row in answers])


def explained(subjects: Doubles, found: Doubles) -> float:
    """R² of the best multiple of `found` [N, D]; subjects are centred."""
    energy = float((found * found).sum() * (subjects * subjects).sum())
    return float((found * subjects).sum()) ** 2 / energy if energy else 0.0


def superposition(facts: Facts, readout: ReadOut, answers: Ints) -> float:
    """R² of S - mean by one multiple of sum_r X_r J_r': what each relation would read, laid on."""
    return explained(
        centred(facts.subjects), composed(facts, readout.jacobians.transpose(0, 2, 1), answers)
    )


def read_by_jacobian(facts: Facts, readout: ReadOut) -> float:
    """Share of facts that (S - mean) J_r names; no label is used to make it."""
    subjects = centred(facts.subjects)
    found = [_nearest(facts, r, subjects @ j) for r, j in enumerate(readout.jacobians)]
    return share(np.stack(found), facts.answers)


def held_out_fits(facts: Facts, answers: Ints, rng: np.random.Generator) -> dict[str, float]:
    """Fits to three quarters of the subjects by `answers` [R, N], scored on the others.

    ridge_r2: of subjects by the attributes of all relations; probe: share of the facts that a
    linear map from the subject names; probe_seen: the same where it was fitted. Each is NaN where
    there is nothing to fit: subjects or attributes that are all the same.
    """
    order = rng.permutation(len(facts.subjects))[:MAX_SUBJECTS]
    cut = max(1, int(len(order) * TEST_SHARE))
    told, other = order[cut:], order[:cut]
    mean = facts.subjects[told].mean(0)
    test = facts.subjects[other] - mean
    maps = fitted_maps(facts.only(told), answers[:, told])
    miss = test - composed(facts.only(other), maps, answers[:, other])
    probes = [
        ridge_map(facts.subjects[told] - mean, facts.known(r, answers)[told])
        for r in range(facts.relations)
    ]

    def named(which: Ints) -> float:
        read = (
            _nearest(facts, r, (facts.subjects[which] - mean) @ p) for r, p in enumerate(probes)
        )
        return share(np.stack(list(read)), answers[:, which])

    total = ((facts.subjects[other] - facts.subjects[other].mean(0)) ** 2).sum()
    r2 = 1 - float((miss**2).sum() / total) if total else float("nan")
    return {"ridge_r2": r2, "probe": named(other), "probe_seen": named(told)}


def _nearest(facts: Facts, relation: int, read: Doubles) -> Ints:
    """The attribute whose centred embedding fits best to what was read, [N]; -1 for NaN."""
    return highest(read @ (facts.attributes - facts.centres[relation]).T)
