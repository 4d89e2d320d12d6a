"""Measures of spectra against closed forms."""

import numpy as np
import pytest

from geomem.analysis.laplacian import spectral_reference, symmetric_walk
from geomem.analysis.quadrature import energy_below
from geomem.analysis.spectrum import (
    apply_coefficient,
    coefficient_projections,
    coefficient_residual,
    effective_rank,
    energy_share,
    fiedler_alignment,
    negative_share,
    normalised,
    principal_angles,
    projections,
)
from tests.analysis.small_graphs import cycle, grid, path, star

GRAPHS = {"cycle": cycle(15), "path": path(9), "grid": grid(4, 4), "star": star(4, 5)[0]}


def waves(n, frequency):
    """The two eigenvectors of a cycle of this frequency, by hand."""
    angle = 2 * np.pi * frequency * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], 1) * np.sqrt(2 / n)


def test_projections_of_a_cycle():
    """Energies 9 and 1 on the two lowest frequencies; each is a whole eigenspace of two."""
    x = 3 * waves(15, 1) @ np.array([[1, 0.0, 0]] * 2) + waves(15, 2) @ np.array([[0, 1.0, 0]] * 2)
    reference = spectral_reference(cycle(15), 15)
    found = projections(np.stack([x, 2 * x]), reference.vectors)
    energy = [(found[0, space] ** 2).sum() for space in reference.spaces]
    np.testing.assert_allclose(energy, [0, 18, 2, *[0] * (len(energy) - 3)], atol=1e-12)
    np.testing.assert_allclose(found[1], 2 * found[0])
    assert normalised(found).max(-1).tolist() == [1, 1]
    assert energy_share(x, waves(15, 1)) == pytest.approx(0.9)


def test_principal_angles_of_known_planes():
    tilt = np.radians([1e-6, 30])
    a = np.eye(4)[:, :2]
    b = np.zeros((4, 2))
    b[[0, 1], [0, 1]], b[[2, 3], [0, 1]] = np.cos(tilt), np.sin(tilt)
    np.testing.assert_allclose(principal_angles(a, b), [1e-6, 30], rtol=1e-9)
    np.testing.assert_allclose(principal_angles(a, np.eye(4)[:, 1:3]), [0, 90], atol=1e-7)
    np.testing.assert_allclose(principal_angles(a[:, :1], b), [1e-6], rtol=1e-9)
    assert principal_angles(np.stack([a, b]), a).shape == (2, 2)


@pytest.mark.parametrize("name", GRAPHS)
def test_any_basis_of_the_eigenspace_is_aligned(name):
    edges = GRAPHS[name]
    n = edges.max() + 1
    reference = spectral_reference(edges, n)
    fiedler = reference.vectors[:, reference.fiedler]
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.standard_normal((fiedler.shape[1],) * 2))[0]
    trivial = 5 * reference.vectors[:, reference.trivial] @ rng.standard_normal((1, 6))
    x = fiedler @ turned @ rng.standard_normal((fiedler.shape[1], 6)) + trivial
    found = fiedler_alignment(x, reference)
    assert found.angles.shape == (fiedler.shape[1],)
    assert found.score == pytest.approx(1)
    np.testing.assert_allclose(found.angles, 0, atol=1e-5)
    rest = np.delete(reference.vectors, np.r_[reference.fiedler, 0], axis=1)
    assert fiedler_alignment(rest, reference).score == pytest.approx(0, abs=1e-12)


def test_an_embedding_without_enough_directions_has_no_alignment():
    """Singular vectors of nothing but rounding are any vectors at all."""
    reference = spectral_reference(cycle(15), 15)
    wave = waves(15, 1)
    cases = [np.zeros((15, 4)), np.full((15, 4), 0.1), wave[:, :1] * np.ones((1, 4))]
    cases = np.stack([*cases, np.concatenate([wave, 1e-3 * wave], 1)]).astype(np.float32)
    found = fiedler_alignment(cases, reference)
    np.testing.assert_array_equal(np.isnan(found.score), [True, True, True, False])
    assert found.score[3] == pytest.approx(1)


def test_random_embeddings_are_aligned_by_their_share_of_dimensions():
    reference = spectral_reference(cycle(60), 60)
    x = np.random.default_rng(0).standard_normal((200, 60, 8))
    # 2 of 59 dimensions: cos² has mean 2/59 = 0.034, and 400 of them a deviation of about 0.002.
    assert fiedler_alignment(x, reference).score.mean() == pytest.approx(2 / 59, abs=0.01)


def test_effective_rank():
    rng = np.random.default_rng(0)
    a, b = (np.linalg.qr(rng.standard_normal((n, 4)))[0] for n in (9, 7))
    assert effective_rank(a @ b.T) == pytest.approx(4)
    assert effective_rank(np.outer(a[:, 0], b[:, 0])) == pytest.approx(1)
    assert effective_rank(a * [3, 1, 0, 0] @ b.T) == pytest.approx(4 / 3**0.75)
    assert effective_rank(np.zeros((2, 3, 3))).tolist() == [1, 1]
    spoilt = np.stack([a, a])
    spoilt[0, 1, 2] = np.nan
    assert np.isnan(effective_rank(spoilt)).tolist() == [True, False]


@pytest.mark.parametrize("name", GRAPHS)
def test_negative_share(name):
    """Half of the energy on a zigzag, an eigenvector of W's most negative eigenvalue."""
    edges = GRAPHS[name]
    n = edges.max() + 1
    reference = spectral_reference(edges, n)
    x = reference.vectors[:, [0, -1]]
    assert negative_share(x, edges, reference) == pytest.approx(0.5)
    assert negative_share(x, edges) == pytest.approx(0.5)
    random = np.random.default_rng(0).standard_normal((3, n, 6))
    exact = negative_share(random, edges, reference)
    np.testing.assert_allclose(negative_share(random, edges), exact)
    assert ((exact > 0.2) & (exact < 0.8)).all()


def test_quadrature_is_close_where_steps_do_not_suffice():
    edges, n = grid(12, 13), 156
    x = np.random.default_rng(0).standard_normal((2, n, 6))
    reference = spectral_reference(edges, n)
    half = symmetric_walk(edges, n) / 2
    for bound in (-0.5, 0.31):
        low = reference.vectors[:, (reference.values + 2) / 2 < bound]
        expected = ((low.T @ x) ** 2).sum(-2)
        np.testing.assert_allclose(energy_below(half, x, bound), expected, rtol=0.1)
    assert energy_below(half, np.zeros((n, 1)), 0.0).tolist() == [0]


def test_the_coefficient_is_that_of_the_dense_formula():
    edges, n = GRAPHS["star"], 17
    V = 0.4 * np.random.default_rng(0).standard_normal((3, n, 6))
    A = np.zeros((n, n))
    A[edges[:, 0], edges[:, 1]] = A[edges[:, 1], edges[:, 0]] = 1
    P = np.exp(V @ V.swapaxes(1, 2))
    M = A / A.sum(1, keepdims=True) - P / P.sum(2, keepdims=True)
    C = M + M.swapaxes(1, 2)
    for limit in (1, 1 << 20):
        np.testing.assert_allclose(apply_coefficient(V, edges, V, limit), C @ V)
    vectors = spectral_reference(edges, n).vectors[:, :4]
    expected = np.linalg.norm(C @ vectors, axis=1)
    np.testing.assert_allclose(coefficient_projections(V, edges, vectors), expected)
    expected = np.linalg.norm(C @ V, axis=(1, 2)) / np.linalg.norm(V, axis=(1, 2))
    np.testing.assert_allclose(coefficient_residual(V, edges), expected)
