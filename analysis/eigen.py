"""The highest eigenpairs of −L = S − 2I, dense or sparse, with a check that none is missing.

Lanczos sees a repeated eigenvalue once, but for rounding. So the number of eigenvalues above a
value is counted, from the signs of the pivots of a factorisation (Sylvester's law of inertia), and
the search goes on beside what was found until that number is met. Graphs whose factors fill up
(expanders of many thousand nodes) are out of reach of the sparse way.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, SuperLU, eigsh, splu

Floats = NDArray[np.float64]
MARGIN = 1e-7  # between a shift and the eigenvalue 0 that it must not hit
ROUNDS, BISECTIONS = 20, 10


class Highest(NamedTuple):
    """values [k] from the highest on, vectors [n, k], and how many of the last value were cut."""

    values: Floats
    vectors: Floats
    cut: int


def dense_highest(S: sparse.csr_array, k: int, most: int, tolerance: float) -> Highest:
    """The k highest pairs, up to `most` where a space would be cut, by a dense decomposition."""
    values, vectors = np.linalg.eigh(S.toarray() - 2 * np.eye(S.shape[0]))
    values, vectors = values[::-1], vectors[:, ::-1]
    whole = int((values >= values[k - 1] - tolerance).sum())
    return _kept(values, vectors, k, whole, most)


def _kept(values: Floats, vectors: Floats, k: int, whole: int, most: int) -> Highest:
    """Whole spaces if they fit; a space too large for `most` is cut at k."""
    kept = whole if whole <= most else k
    return Highest(values[:kept].copy(), vectors[:, :kept].copy(), whole - kept)


def sparse_highest(
    S: sparse.csr_array, k: int, most: int, tolerance: float, rng: np.random.Generator
) -> Highest:
    """The k highest pairs, up to `most` where a space would be cut, by shift-invert in slices."""
    place = _splu(S, MARGIN, "MMD_AT_PLUS_A").perm_c  # looked for once, then every shift is cheap
    order = np.argsort(place)
    values, vectors, cut = _in_order(S[order][:, order], k, most, tolerance, rng)
    return Highest(values, vectors[place], cut)


def _in_order(
    S: sparse.csr_array, k: int, most: int, tolerance: float, rng: np.random.Generator
) -> Highest:
    found = np.empty((S.shape[0], 0))
    high = _upper_bound(S) + MARGIN  # all that lies above it has been found
    factors, missing = _slice(S, high, 0)
    for _ in range(ROUNDS):
        count = found.shape[1]
        found = _search(factors, found, min(missing, max(k - count, 1)), rng)
        values, found = _ritz(S, found)
        last = min(k, len(values)) - 1
        whole = _factorise(S, values[last] - tolerance)[1]
        strictly = _factorise(S, values[last] + tolerance)[1]
        nothing_missed = strictly == (values > values[last] + tolerance).sum()
        if last == k - 1 and nothing_missed and (whole > most or whole <= len(values)):
            return _kept(values, found, k, whole, most)
        if whole <= len(values):
            factors, missing = _slice(S, values[-1] - tolerance, len(values))
        else:
            missing = whole - len(values)
    raise ValueError(f"only {found.shape[1]} of {k} eigenvectors could be found; take fewer")


def _slice(S: sparse.csr_array, high: float, known: int) -> tuple[SuperLU, int]:
    """Factors at a shift close above the next eigenvalues, and how many to look for.

    `known` values lie above `high`. What lies below 0 is one slice; above, where a few values can
    be far apart, a slice is narrowed down by bisection.
    """
    factors, inside = _factorise(S, MARGIN)
    if inside <= known:
        return factors, S.shape[0]
    low = MARGIN
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        count = _factorise(S, middle)[1]
        if count <= known:
            high = middle
        else:
            low, inside = middle, count
    return _factorise(S, high)[0], inside - known


def _factorise(S: sparse.csr_array, shift: float) -> tuple[SuperLU, int]:
    """Factors of (shift + 2) I − S, and how many eigenvalues of −L lie above the shift."""
    refused = f"no factors without pivoting at the value {shift:.6g}; choose another k"
    try:
        factors = _splu(S, shift, "NATURAL")
    except RuntimeError as error:  # exactly singular
        raise ValueError(refused) from error
    if (factors.perm_r != factors.perm_c).any():
        raise ValueError(refused)
    return factors, int((factors.U.diagonal() < 0).sum())


def _splu(S: sparse.csr_array, shift: float, order: str) -> SuperLU:
    matrix = sparse.csc_array(sparse.eye_array(S.shape[0]) * (shift + 2) - S)
    options = {"SymmetricMode": True}
    return splu(matrix, permc_spec=order, diag_pivot_thresh=0.0, options=options)


def _upper_bound(S: sparse.csr_array) -> float:
    """Of the eigenvalues of −L: max (Sx)ᵢ/xᵢ for any positive x (Collatz–Wielandt)."""
    x, bound = np.ones(S.shape[0]), np.inf
    for _ in range(100):
        y = S @ x
        bound = min(bound, float((y / x).max()))
        x = np.maximum((x + y) / (x + y).max(), 1e-200)  # shifted: bipartite graphs would swing
    return bound - 2


def _search(factors: SuperLU, known: Floats, count: int, rng: np.random.Generator) -> Floats:
    """`known` [n, ·] and up to `count` more vectors of the highest values below the shift."""
    n = known.shape[0]
    if count <= 0:
        return known

    def beside(x: Floats) -> Floats:
        x = x.ravel()
        y: Floats = factors.solve(x - known @ (known.T @ x))
        beside_known: Floats = y - known @ (known.T @ y)
        return beside_known

    operator = LinearOperator((n, n), matvec=beside, dtype=np.float64)
    start: Floats = rng.standard_normal((n,))
    start -= known @ (known.T @ start)
    basis = min(n - 1, max(2 * count + 1, 40))
    try:
        new = eigsh(operator, k=count, which="LA", v0=start, ncv=basis)[1]
    except ArpackNoConvergence as error:
        new = error.eigenvectors
    joined: Floats = np.linalg.qr(np.concatenate([known, new], 1))[0]
    return joined


def _ritz(S: sparse.csr_array, basis: Floats) -> tuple[Floats, Floats]:
    """Eigenpairs of −L inside the span of an orthonormal basis [n, k], highest first."""
    inside = basis.T @ (S @ basis)
    values, turn = np.linalg.eigh((inside + inside.T) / 2)
    return values[::-1] - 2, basis @ turn[:, ::-1]
