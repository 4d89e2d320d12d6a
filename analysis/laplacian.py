"""Eigenpairs of the negative Laplacian that Node2Vec's geometry is compared with.

−L = S − 2I with S = D⁻¹A + AD⁻¹, that is L = (I − D⁻¹A) + (I − D⁻¹A)ᵀ (arXiv 2510.26745).
Only where all neighbours' degrees are equal is the constant vector an eigenvector, of value 0.
Elsewhere S has a positive Perron vector per component, of a value above 0: "nearly constant" on
tiny graphs, but on a star with many arms it sits on the root. That vector, one per component, is
what `trivial` marks.

n nodes · E edges · k eigenpairs
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from geomem.analysis.arrays import node_pairs
from geomem.analysis.eigen import Highest, dense_highest, sparse_highest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DENSE_NODES = 1_500
SPARSE_PAIRS = 16


@dataclass(frozen=True)
class SpectralReference:
    """Eigenpairs of −L, highest first; of equal values the trivial ones first.

    values [k]; vectors [n, k], orthonormal; spaces: columns of equal value, in order; trivial:
    bool [k], the Perron vector of a component; component: int64 [n]; cut: how many more vectors
    the last space has, 0 where it is whole.
    """

    values: Floats
    vectors: Floats
    spaces: list[Ints]
    trivial: NDArray[np.bool_]
    component: Ints
    cut: int

    @cached_property
    def constants(self) -> Floats:
        """Orthonormal vectors [n, components], each constant on one component and 0 elsewhere."""
        one_hot = np.eye(self.component.max() + 1)[self.component]
        scaled: Floats = one_hot / np.sqrt(one_hot.sum(0))
        return scaled

    @property
    def fiedler(self) -> Ints:
        """Columns of the Fiedler eigenspace, the highest one without its trivial vectors.

        Raises ValueError if k was too small to reach it, or cuts it.
        """
        return self.leading(1)

    def leading(self, least: int) -> Ints:
        """Columns of the highest eigenspaces, whole and without trivial vectors, `least` or more.

        With `least` 2 these are the Fiedler-like vectors: what a picture of the graph is drawn
        on, also where the Fiedler vector itself is a single one. Raises ValueError like `fiedler`.
        """
        found = np.empty(0, np.int64)
        for at, space in enumerate(self.spaces):
            rest = space[~self.trivial[space]]
            if len(rest) and self.cut and at == len(self.spaces) - 1:
                more = f"it has {self.cut} more vectors than the {len(rest)} computed"
                raise ValueError(f"the Fiedler-like eigenspace is cut: {more}; raise k")
            found = np.concatenate([found, rest])
            if len(found) >= least:
                return found
        raise ValueError("k is too small to reach the Fiedler-like eigenspace; raise it")


def spectral_reference(
    edges: Ints, n: int, k: int | None = None, *, seed: int = 0, tolerance: float = 1e-10
) -> SpectralReference:
    """Return the k highest eigenpairs of −L of an undirected graph, edges int64 [E, 2].

    k: default all up to 1 500 nodes, above that 16 and one per component. It grows to take in the
    whole space of its last value (values closer than `tolerance` are equal) as long as that stays
    within 2 k + 16; a larger space is cut, and `cut` counts what is missing of it. Dense for up to
    1 500 nodes, else shift-invert from a start drawn with `seed`, complete by a count of pivots.
    Raises ValueError for a node without an edge, self-edges, and k outside 1…n.
    """
    S = symmetric_walk(edges, n)
    count, component = connected_components(S, directed=False)
    k = k if k is not None else (n if n <= DENSE_NODES else min(n, SPARSE_PAIRS + count))
    if not 1 <= k <= n:
        raise ValueError(f"k has to be in 1…{n}, the number of nodes, got {k}")
    most = min(n, 2 * k + 16)
    if n <= DENSE_NODES:
        found = dense_highest(S, k, most, tolerance)
    else:
        found = sparse_highest(S, k, most, tolerance, np.random.default_rng(seed))
    return _reference(found, component.astype(np.int64), tolerance)


def symmetric_walk(edges: Ints, n: int) -> sparse.csr_array:
    """S = D⁻¹A + AD⁻¹ of an undirected graph, [n, n]; an edge counts once, however often given."""
    edges = node_pairs(edges, n)
    if (edges[:, 0] == edges[:, 1]).any():
        raise ValueError("self-edges have no place in the graph Laplacian; leave them out")
    both = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    degree = np.bincount(both[:, 0], minlength=n)
    if not degree.all():
        raise ValueError(f"every node needs an edge, and {int((degree == 0).argmax())} has none")
    weights = 1 / degree[both[:, 0]] + 1 / degree[both[:, 1]]
    return sparse.csr_array((weights, (both[:, 0], both[:, 1])), shape=(n, n))


def _reference(found: Highest, component: Ints, tolerance: float) -> SpectralReference:
    vectors = found.vectors.copy()
    ends = np.flatnonzero(np.diff(found.values) < -tolerance) + 1
    spaces = np.split(np.arange(len(found.values)), ends)
    trivial = np.zeros(len(found.values), bool)
    seen = np.zeros(component.max() + 1, bool)
    for space in spaces:
        basis = vectors[:, space]
        mass = np.zeros(len(seen))
        np.add.at(mass, component, (basis**2).sum(1))
        fresh = np.flatnonzero((mass > 1e-6) & ~seen)
        seen[fresh] = True
        trivial[space[: len(fresh)]] = True
        vectors[:, space] = _perron_first(basis, component, fresh)
    return SpectralReference(found.values, vectors, spaces, trivial, component, found.cut)


def _perron_first(basis: Floats, component: Ints, fresh: Ints) -> Floats:
    """Turn an eigenspace [n, s] so that the Perron vectors of `fresh` components come first.

    A component's highest eigenvalue is simple (Perron–Frobenius), and its vector is positive, so
    within the space it is the projection of the component's indicator.
    """
    if not len(fresh):
        return basis
    indicator = (component[:, None] == fresh).astype(float)
    inside = basis.T @ indicator
    turn, upper = np.linalg.qr(np.concatenate([inside, np.eye(basis.shape[1])], 1))
    signs = np.ones(basis.shape[1])
    signs[: len(fresh)] = np.where(np.diag(upper)[: len(fresh)] < 0, -1.0, 1.0)
    turned: Floats = basis @ (turn * signs)
    return turned
