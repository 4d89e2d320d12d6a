"""The spectral reference against closed forms, against a dense decomposition, and at size."""

from math import comb

import numpy as np
import pytest

from geomem.analysis import laplacian
from geomem.analysis.laplacian import spectral_reference, symmetric_walk
from geomem.train.config.graph import Cycle, Grid, Irregular, PathStar
from geomem.train.tasks.graphs import build_graph


def _cycle(n):
    return build_graph(Cycle(kind="cycle", nodes=n)).edges


def _star(arms, length=2):
    graph = build_graph(PathStar(kind="path_star", arms=arms, length=length))
    return graph.edges, graph.n


def _torus(r, c):
    at = np.arange(r * c).reshape(r, c)
    pairs = [np.stack([at, np.roll(at, 1, axis)], 2).reshape(-1, 2) for axis in (0, 1)]
    return np.concatenate(pairs)


def _hypercube(d):
    nodes = np.arange(2**d)
    return np.concatenate([np.stack([nodes, nodes ^ (1 << bit)], 1) for bit in range(d)])


def _waves(n):
    return 2 * np.cos(2 * np.pi * np.arange(n) / n)


def _star_values(d):
    far = (1 + 1 / d) * np.sqrt(d)
    return np.array([far, *[0.0] * (d - 1), -far]) - 2


def _residuals(found, edges, n):
    """‖−L e − λ e‖ of each eigenpair."""
    left = symmetric_walk(edges, n) @ found.vectors - found.vectors * (found.values + 2)
    return np.linalg.norm(left, axis=0)


def _constant_share(found):
    """Energy of the first eigenvector in the vectors that are constant on a component."""
    return ((found.constants.T @ found.vectors[:, 0]) ** 2).sum()


CLOSED = {
    "cycle": (_cycle(15), 15, _waves(15) - 2),
    "torus": (_torus(4, 6), 24, np.add.outer(_waves(4), _waves(6)).ravel() / 2 - 2),
    "hypercube": (
        _hypercube(4),
        16,
        np.concatenate([np.full(comb(4, j), 2 * (4 - 2 * j) / 4 - 2) for j in range(5)]),
    ),
    "complete": (np.argwhere(np.triu(np.ones((6, 6)), 1)), 6, [0.0, *[-12 / 5] * 5]),
    "star": (*_star(9), _star_values(9)),
}


# The hypercube's next value, -1, leaves no factors without pivoting, which is refused.
@pytest.mark.parametrize(
    ("name", "dense"),
    [(name, dense) for name in CLOSED for dense in (True, False) if dense or name != "hypercube"],
)
def test_values_in_closed_form(name, dense, monkeypatch):
    edges, n, values = CLOSED[name]
    if not dense:
        monkeypatch.setattr(laplacian, "DENSE_NODES", 0)
    found = spectral_reference(edges, n, k=n if dense else n // 4)
    expected = np.sort(values)[::-1]
    np.testing.assert_allclose(found.values, expected[: len(found.values)], atol=1e-12)
    assert _residuals(found, edges, n).max() < 1e-12
    np.testing.assert_allclose(
        found.vectors.T @ found.vectors, np.eye(len(found.values)), atol=1e-9
    )
    assert found.trivial.tolist() == [True] + [False] * (len(found.values) - 1)


def test_spaces_are_never_cut_unless_they_are_too_large():
    whole = spectral_reference(_cycle(15), 15, k=2)
    assert [len(space) for space in whole.spaces] == [1, 2]
    assert whole.cut == 0
    cut = spectral_reference(*_star(60), k=3)
    assert (len(cut.values), cut.cut) == (3, 57)
    with pytest.raises(ValueError, match="it has 57 more vectors than the 2 computed; raise k"):
        _ = cut.fiedler
    assert len(spectral_reference(*_star(60), k=30).fiedler) == 59


def test_a_space_is_the_same_whoever_computes_it(monkeypatch):
    edges, n = _star(5, 4)
    dense = spectral_reference(edges, n)
    monkeypatch.setattr(laplacian, "DENSE_NODES", 0)
    lanczos = spectral_reference(edges, n, k=5)
    for a, b in zip(dense.spaces, lanczos.spaces, strict=False):
        p, q = (r.vectors[:, s] @ r.vectors[:, s].T for r, s in ((dense, a), (lanczos, b)))
        np.testing.assert_allclose(p, q, atol=1e-9)
    np.testing.assert_array_equal(
        lanczos.vectors, spectral_reference(edges, n, k=5, seed=0).vectors
    )


def test_constants_are_exact_with_equal_degrees_only():
    assert _constant_share(spectral_reference(_cycle(15), 15)) == pytest.approx(1)
    uneven = spectral_reference(*_star(4, 5))
    assert uneven.values[0] > 0.01
    assert 0.9 < _constant_share(uneven) < 0.99
    assert (uneven.vectors[:, 0] > 0).all()  # Perron–Frobenius
    assert len(uneven.fiedler) == 3


@pytest.mark.parametrize("dense", [True, False])
def test_each_component_has_its_own_trivial_vector(dense, monkeypatch):
    if not dense:
        monkeypatch.setattr(laplacian, "DENSE_NODES", 0)
    edges = np.concatenate([_cycle(7), _cycle(9) + 7, _cycle(7) + 16])
    found = spectral_reference(edges, 23, k=8)
    assert found.trivial.tolist() == [True] * 3 + [False] * (len(found.values) - 3)
    np.testing.assert_allclose(found.vectors[:, :3] ** 2, found.constants**2, atol=1e-12)
    assert found.fiedler.tolist() == [3, 4]  # of the longest cycle
    assert (np.abs(found.vectors[:7, 3:5]) < 1e-9).all()


def test_the_fixed_graph_of_two_parts():
    found = spectral_reference(build_graph(Irregular(kind="irregular")).edges, 16)
    assert found.component.tolist() == [0] * 12 + [1] * 4
    assert found.trivial[:2].all()
    assert found.fiedler.tolist() == [2]


def test_a_grid_has_a_plane_of_fiedler_vectors():
    grid = build_graph(Grid(kind="grid", rows=4, columns=4))
    assert len(spectral_reference(grid.edges, grid.n).fiedler) == 2


def test_a_hundred_thousand_nodes():
    edges, n = _star(20_000, 6)
    found = spectral_reference(edges, n)
    assert n == 100_001
    assert _residuals(found, edges, n).max() < 1e-10 * found.values[0]
    # Vectors that differ from arm to arm see a path of 5 nodes that ends in a wall at the root.
    arm = np.diag([1, 1, 1, 1.5], 1) + np.diag([1, 1, 1, 1.5], -1)
    assert found.values[1:] == pytest.approx(np.linalg.eigvalsh(arm)[-1] - 2)
    assert len(found.values) + found.cut == 20_000


def test_what_is_refused():
    with pytest.raises(ValueError, match="self-edges"):
        spectral_reference(np.array([[0, 0]]), 1)
    with pytest.raises(ValueError, match="every node needs an edge, and 2 has none"):
        spectral_reference(np.array([[0, 1]]), 3)
    with pytest.raises(ValueError, match="k has to be in 1…2, the number of nodes, got 3"):
        spectral_reference(np.array([[0, 1]]), 2, k=3)


def test_leading_spaces_are_taken_whole():
    two_parts = spectral_reference(build_graph(Irregular(kind="irregular")).edges, 16)
    assert two_parts.leading(2).tolist() == [2, 3]
    assert spectral_reference(*_star(4, 5)).leading(2).tolist() == [1, 2, 3]
    assert spectral_reference(_cycle(15), 15).leading(3).tolist() == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="k is too small"):
        spectral_reference(_cycle(15), 15, k=1).leading(1)
