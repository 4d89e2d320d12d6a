"""Linear maps between subjects and their attributes: read out of a network, or fitted.

N subjects · R relations · D width
"""

from typing import NamedTuple

import numpy as np

from geomem.analysis.arrays import Ints
from geomem.analysis.facts.network import Doubles, Facts, Network

RIDGE = 1e-2
"""Of the mean diagonal of the matrix that is inverted."""
TINY = np.finfo(np.float64).tiny
JACOBIAN_SUBJECTS = 128


class ReadOut(NamedTuple):
    """jacobians J [R, D, D]: from subjects to outputs; inverse T [R, D, D]: back, for all relations
    at once, the ridge pseudo-inverse of [J_1 ... J_R]; NaN where there is none, as of J = 0.
    """

    jacobians: Doubles
    inverse: Doubles


def read_out(network: Network, subjects: Doubles) -> ReadOut:
    """Mean Jacobians over the first 128 subjects, and what inverts them."""
    some = subjects[:JACOBIAN_SUBJECTS]
    found = [network.jacobian(r, some) for r in range(len(network.relations))]
    jacobians = np.stack(found)
    wide = np.concatenate(found, 1)
    gram = sum(j @ j.T for j in found)
    inverse = solved(np.asarray(gram), wide, len(wide)).T
    return ReadOut(jacobians, inverse.reshape(jacobians.shape))


def solved(gram: Doubles, right: Doubles, size: int) -> Doubles:
    """What a Gram matrix with a ridge of 0.01 trace / size on its diagonal maps to `right`.

    NaN where that is undefined: the ridge is a share of the matrix, so that of 0 has none, and
    neither has one that is not finite or too small for its inverse to be a number.
    """
    ridge = RIDGE * np.trace(gram) / size
    undefined = np.full(right.shape, np.nan)
    # Above the smallest normal number, rounding leaves a matrix with a ridge its full rank.
    if not TINY < ridge < np.inf or not np.isfinite(right).all():
        return undefined
    try:
        found: Doubles = np.linalg.solve(gram + ridge * np.eye(len(gram)), right)
    except np.linalg.LinAlgError:
        return undefined
    return found


def ridge_map(inputs: Doubles, outputs: Doubles) -> Doubles:
    """The matrix W [I, O] of least squares inputs W = outputs with a ridge; no intercept.

    NaN where it is undefined, as of inputs that are all 0.
    """
    n, size = inputs.shape
    if size <= n:
        return solved(inputs.T @ inputs, inputs.T @ outputs, size)
    # The same by the smaller matrix: its trace is equal, its mean diagonal is not.
    return inputs.T @ solved(inputs @ inputs.T, outputs, size)


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
