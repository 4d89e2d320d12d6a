"""What the figures show and no other module measures. Pure functions of arrays.

n nodes · m embedding width · k eigenvectors
"""

from collections.abc import Sequence

import numpy as np

from geomem.analysis.arrays import Floats, Ints
from geomem.analysis.spectrum import normalised


def spectrum_of(embedding: Floats, vectors: Floats, spaces: Sequence[Ints]) -> Floats:
    """‖Vᵀe_i‖ for V [n, m] and orthonormal columns e_i [n, k], the largest scaled to 1, [k].

    Inside an eigenspace the basis is arbitrary, so each of its vectors gets the root mean square.
    """
    energy = ((embedding.astype(float).T @ vectors) ** 2).sum(0)
    for space in spaces:
        energy[space] = energy[space].mean()
    size: Floats = np.sqrt(energy)
    return normalised(size)
