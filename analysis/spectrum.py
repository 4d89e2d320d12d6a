"""What embeddings have in common with the graph's spectrum (arXiv 2510.26745).

n nodes · m embedding width · k eigenvectors · V embedding [..., n, m], any leading axes: members,
or members and points of a training history

Eigenvectors e_i and the Fiedler-like eigenspace come from `laplacian.spectral_reference`.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from geomem.analysis.arrays import PIECE, Array, Floats, Ints, flat_members, pieces, to_numpy
from geomem.analysis.laplacian import SpectralReference, symmetric_walk
from geomem.analysis.quadrature import energy_below

ZERO = 1e-9  # eigenvalues of bipartite graphs are 0 in numbers, and neither positive nor negative


class Alignment(NamedTuple):
    """Principal angles in degrees, smallest first, [..., k]; score: mean of their cos², [...]."""

    angles: Floats
    score: Floats


def projections(embedding: Array, vectors: Floats) -> Floats:
    """‖Vᵀ e_i‖, [..., k]; vectors [n, k]."""
    x = _float64(embedding)
    norms: Floats = np.linalg.norm(vectors.T @ x, axis=-1)
    return norms


def normalised(spectrum: Floats) -> Floats:
    """A spectrum [..., k] over its largest value, as the paper draws it."""
    largest = spectrum.max(-1, keepdims=True)
    return spectrum / np.where(largest > 0, largest, 1)


class Space(Protocol):
    """A subspace of R^n."""

    @property
    def size(self) -> int:
        """Its dimensions."""
        ...

    def coordinates(self, x: Floats) -> Floats:
        """Columns [..., n, m] in the space, [..., c, m], where lengths and angles are the same."""
        ...

    def part(self, x: Floats) -> Floats:
        """The orthogonal projection of columns [..., n, m] on the space."""
        ...


@dataclass(frozen=True)
class Span:
    """The `Space` of orthonormal columns [n, k]."""

    basis: Floats

    @property
    def size(self) -> int:
        """See `Space`."""
        return int(self.basis.shape[1])

    def coordinates(self, x: Floats) -> Floats:
        """See `Space`."""
        found: Floats = self.basis.T @ x
        return found

    def part(self, x: Floats) -> Floats:
        """See `Space`."""
        found: Floats = self.basis @ self.coordinates(x)
        return found


def energy_share(embedding: Array, basis: Floats) -> Floats:
    """Share of ‖V‖² that lies in the span of orthonormal columns [n, k], [...]."""
    return energy_in(embedding, Span(basis))


def energy_in(embedding: Array, space: Space) -> Floats:
    """Share of ‖V‖² that lies in the space, [...]."""
    x = _float64(embedding)
    return _share((space.coordinates(x) ** 2).sum((-1, -2)), x)


def effective_rank(embedding: Array) -> Floats:
    """exp of the entropy of the singular values, as shares of their sum, [...] (Roy, Vetterli).

    NaN for an embedding with a number that is not finite.
    """
    embedding = _float64(embedding)
    finite = np.isfinite(embedding).all((-2, -1))
    values = np.linalg.svd(np.where(finite[..., None, None], embedding, 0), compute_uv=False)
    total = values.sum(-1, keepdims=True)
    shares = values / np.where(total > 0, total, 1)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    rank: Floats = np.where(finite, np.exp(-(shares * logs).sum(-1)), np.nan)
    return rank


def principal_angles(a: Floats, b: Floats) -> Floats:
    """Angles in degrees between subspaces with orthonormal columns, [..., n, p] and [..., n, q].

    min(p, q) of them, smallest first; small ones from their sines, which lose no digits there.
    """
    a, b = (a, b) if a.shape[-1] >= b.shape[-1] else (b, a)
    inside = a.swapaxes(-1, -2) @ b
    return _angles(inside, b - a @ inside)


def _angles(inside: Floats, outside: Floats) -> Floats:
    """Degrees from the parts of orthonormal columns in and out of a space that is no smaller."""
    cosines = np.clip(np.linalg.svd(inside, compute_uv=False), 0, 1)
    sines = np.clip(np.linalg.svd(outside, compute_uv=False)[..., ::-1], 0, 1)
    angles = np.where(cosines**2 > 0.5, np.arcsin(sines), np.arccos(cosines))
    degrees: Floats = np.degrees(angles)
    return degrees


def fiedler_alignment(
    embedding: Array, reference: SpectralReference, space: Space | None = None
) -> Alignment:
    """Angles between V's leading left singular subspace and the whole Fiedler-like eigenspace.

    As many singular vectors as the eigenspace has dimensions, after the trivial eigenvectors, one
    per component and no part of the eigenspace, are projected out of V. A random subspace scores
    about k / n. NaN where eigenspace and trivial vectors are all there is: anything is aligned; and
    where V has fewer singular vectors than are asked for, but for the rounding of float32.
    space: the eigenspace, by default that of the reference. Raises ValueError if this does not hold
    the whole of it.
    """
    space = space or Span(reference.vectors[:, reference.fiedler])
    trivial = reference.vectors[:, reference.trivial]
    x = _float64(embedding)
    u, values, _ = np.linalg.svd(x - trivial @ (trivial.T @ x), full_matrices=False)
    u = u[..., : space.size]
    angles = _angles(space.coordinates(u), u - space.part(u))
    least = np.finfo(np.float32).eps * np.linalg.norm(x, axis=(-1, -2))
    angles[values[..., u.shape[-1] - 1] <= least] = np.nan
    if space.size + trivial.shape[1] == x.shape[-2]:
        angles = np.full_like(angles, np.nan)
    score: Floats = (np.cos(np.radians(angles)) ** 2).mean(-1)
    return Alignment(angles, score)


def negative_share(
    embedding: Array, edges: Ints, reference: SpectralReference | None = None
) -> Floats:
    """The zigzag: share of ‖V‖² where (W + Wᵀ)/2 with W = D⁻¹A has negative eigenvalues, [...].

    W is the graph without self-edges, also for runs that were trained with them, so that both are
    measured alike. `reference`: of all n eigenpairs, if at hand; else, or if it has fewer, by
    Gauss quadrature (`quadrature.energy_below`), exact as far as no eigenvalue is close to 0.
    """
    x = _float64(embedding)
    if reference is not None and len(reference.values) == x.shape[-2]:
        low = reference.vectors[:, (reference.values + 2) / 2 < -ZERO]
        return energy_share(x, low)
    half_walk = symmetric_walk(edges, x.shape[-2]) / 2
    return _share(energy_below(half_walk, x, -ZERO).sum(-1), x)


def apply_coefficient(embedding: Array, edges: Ints, x: Array, limit: int = PIECE) -> Floats:
    """C x, [..., n, k], for C = (D⁻¹A − P) + (D⁻¹A − P)ᵀ with P = row_softmax(VVᵀ) of Node2Vec.

    x [n, k] or [..., n, k]. P is made a few rows at a time and never kept. Where a history of C
    itself is at hand, C @ x is the same.
    """
    V = flat_members(_float64(embedding))
    n = V.shape[-2]
    x = flat_members(np.broadcast_to(_float64(x), (*embedding.shape[:-1], x.shape[-1])))
    walk = symmetric_walk(edges, n)
    found = np.stack([walk @ member for member in x])
    for part in pieces(n, len(V) * n, limit):
        P = V[:, part] @ V.swapaxes(-1, -2)
        P = np.exp(P - P.max(-1, keepdims=True))
        P /= P.sum(-1, keepdims=True)
        found[:, part] -= P @ x
        found -= P.swapaxes(-1, -2) @ x[:, part]
    return found.reshape(*embedding.shape[:-1], x.shape[-1])


def coefficient_projections(embedding: Array, edges: Ints, vectors: Floats) -> Floats:
    """‖C e_i‖, [..., k], of Node2Vec's C at these embeddings; vectors [n, k]."""
    norms: Floats = np.linalg.norm(apply_coefficient(embedding, edges, vectors), axis=-2)
    return norms


def coefficient_residual(embedding: Array, edges: Ints) -> Floats:
    """‖CV‖ / ‖V‖, [...]: 0 where Node2Vec's embeddings have come to rest in C's null space."""
    x = _float64(embedding)
    moved = np.linalg.norm(apply_coefficient(x, edges, x), axis=(-1, -2))
    residual: Floats = moved / np.linalg.norm(x, axis=(-1, -2))
    return residual


def _share(energy: Floats, x: Floats) -> Floats:
    total = (x**2).sum((-1, -2))
    return energy / np.where(total > 0, total, np.nan)


def _float64(x: Array) -> Floats:
    return to_numpy(x).astype(np.float64, copy=False)
