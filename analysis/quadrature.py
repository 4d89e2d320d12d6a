"""Energy of vectors in a part of a spectrum that is too large to be computed.

A Lanczos run from a vector v gives nodes θ_j and weights w_j of Gauss quadrature for the spectral
measure of v: Σ_{λ_i in part} (e_iᵀ v)² ≈ ‖v‖² Σ_{θ_j in part} w_j (Golub & Meurant 2010). It is
exact if v meets no more different eigenvalues than there are steps, as on path-stars.

n nodes · c columns · s steps
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from geomem.analysis.arrays import Floats

STEPS = 64
LOST = 1e-10  # of a column's norm: what is left when its Krylov space is exhausted


def energy_below(S: sparse.csr_array, x: Floats, bound: float, steps: int = STEPS) -> Floats:
    """Energy of columns of x [..., n, m] on eigenvalues of symmetric S below `bound`, [..., m].

    Where the spectrum is dense near the bound, the error is about the energy within 1/steps of it.
    """
    columns = np.moveaxis(x, -2, 0).reshape(x.shape[-2], -1)
    diagonal, beside, lengths = _lanczos(S, columns, steps)
    energy = (columns**2).sum(0)
    for c in range(columns.shape[1]):
        s = lengths[c]
        T = (
            np.diag(diagonal[:s, c])
            + np.diag(beside[: s - 1, c], 1)
            + np.diag(beside[: s - 1, c], -1)
        )
        nodes, vectors = np.linalg.eigh(T)
        energy[c] *= (vectors[0, nodes < bound] ** 2).sum()
    shaped: Floats = energy.reshape(*x.shape[:-2], x.shape[-1])
    return shaped


def _lanczos(
    S: sparse.csr_array, start: Floats, steps: int
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Diagonals and off-diagonals [s, c] of each column's tridiagonal matrix, and its size [c]."""
    norm = np.linalg.norm(start, axis=0)
    now, before = start / np.where(norm > 0, norm, 1), np.zeros_like(start)
    diagonal, beside = np.zeros((steps, start.shape[1])), np.zeros((steps, start.shape[1]))
    lengths = np.full(start.shape[1], steps)
    last = np.zeros(start.shape[1])
    for step in range(steps):
        new = S @ now - last * before
        diagonal[step] = (now * new).sum(0)
        new -= diagonal[step] * now
        beside[step] = last = np.linalg.norm(new, axis=0)
        lengths = np.where((last <= LOST) & (lengths == steps), step + 1, lengths)
        before, now = now, new / np.where(last > LOST, last, np.inf)
    return diagonal, beside, lengths
