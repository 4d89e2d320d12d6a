"""Linear maps between subjects and their attributes: read out of a network, or fitted.

N subjects · R relations · D width
"""

from typing import NamedTuple

import numpy as np

from geomem.analysis.arrays import Ints
from geomem.analysis.facts.network import Doubles, Facts, Network

RIDGE = 1e-2
"""Of the mean diagonal of the matrix that is inverted."""
JACOBIAN_SUBJECTS = 128


class ReadOut(NamedTuple):
    """jacobians J [R, D, D]: from subjects to outputs; inverse T [R, D, D]: back, for all relations
    at once, the ridge pseudo-inverse of [J_1 ... J_R].
    """

    jacobians: Doubles
    inverse: Doubles


def read_out(network: Network, subjects: Doubles) -> ReadOut:
    """Mean Jacobians over the first 128 subjects, and what inverts them."""
    some = subjects[:JACOBIAN_SUBJECTS]
    found = [network.jacobian(r, some) for r in range(len(network.relations))]
    jacobians = np.stack(found)
    gram = sum(j @ j.T for j in found)
    inverse = np.linalg.solve(with_ridge(np.asarray(gram)), np.concatenate(found, 1)).T
    return ReadOut(jacobians, inverse.reshape(jacobians.shape))


def with_ridge(gram: Doubles) -> Doubles:
    """A Gram matrix with the ridge on its diagonal."""
    ridge = RIDGE * np.trace(gram) / len(gram)
    found: Doubles = gram + ridge * np.eye(len(gram))
    return found


def ridge_map(inputs: Doubles, outputs: Doubles) -> Doubles:
    """The matrix W [I, O] of least squares inputs W = outputs with a ridge; no intercept."""
    n, size = inputs.shape
    if size <= n:
        found: Doubles = np.linalg.solve(with_ridge(inputs.T @ inputs), inputs.T @ outputs)
        return found
    # The same by the smaller matrix: its trace is equal, its mean diagonal is not.
    gram = inputs @ inputs.T
    ridge = RIDGE * np.trace(gram) / size
    return inputs.T @ np.linalg.solve(gram + ridge * np.eye(n), outputs)


def composed(facts: Facts, maps: Doubles, answers: Ints | None = None) -> Doubles:
    """sum_r X_r W_r [N, D] of centred attributes X_r, by other answers [R, N] too, and maps W."""
    found = np.zeros((facts.answers.shape[1], maps.shape[2]))
    for r in range(facts.relations):
        found += facts.known(r, answers) @ maps[r]
    return found


def fitted_maps(facts: Facts, answers: Ints | None = None) -> Doubles:
    """Maps W [R, D, D] that compose the subjects of their attributes best, by ridge regression."""
    inputs = np.concatenate([facts.known(r, answers) for r in range(facts.relations)], 1)
    maps = ridge_map(inputs, centred(facts.subjects))
    return maps.reshape(facts.relations, -1, maps.shape[1])


def centred(x: Doubles) -> Doubles:
    """Rows less their mean."""
    found: Doubles = x - x.mean(0)
    return found
