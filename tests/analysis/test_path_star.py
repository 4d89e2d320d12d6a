"""The Fiedler-like eigenspace of path-stars in closed form, against the dense decomposition."""

import numpy as np
import pytest

from geomem.analysis import batches, summaries
from geomem.analysis.laplacian import spectral_reference
from geomem.analysis.path_star import fiedler_space
from geomem.analysis.spectrum import energy_in, energy_share, fiedler_alignment
from tests.analysis.made import make_members
from tests.analysis.small_graphs import cycle, star


@pytest.mark.parametrize(("arms", "length"), [(2, 2), (2, 9), (3, 2), (7, 3), (12, 5), (40, 4)])
def test_the_space_is_that_of_the_dense_reference(arms, length):
    edges, paths = star(arms, length)
    n = edges.max() + 1
    shuffle = np.random.default_rng(1).permutation(n)
    edges, paths = shuffle[edges][:, ::-1], shuffle[paths]
    reference = spectral_reference(edges, n)
    dense = reference.vectors[:, reference.fiedler]
    space = fiedler_space(edges, paths)
    assert space.size == dense.shape[1] == arms - 1
    np.testing.assert_allclose(space.part(np.eye(n)), dense @ dense.T, atol=1e-10)
    x = np.random.default_rng(0).standard_normal((3, n, 6))
    np.testing.assert_allclose(energy_in(x, space), energy_share(x, dense))
    for a, b in zip(
        fiedler_alignment(x, reference, space), fiedler_alignment(x, reference), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_other_graphs_have_no_such_space():
    edges, paths = star(4, 3)
    assert fiedler_space(np.concatenate([edges, [[2, 4]]]), paths) is None
    assert fiedler_space(edges, paths[:3]) is None
    assert fiedler_space(*star(1, 5)) is None
    assert fiedler_space(cycle(4), np.array([[0, 1], [2, 3]])) is None


def test_large_path_stars_are_measured_as_small_ones_are(monkeypatch):
    members = make_members(graph={"kind": "path_star", "arms": 60, "length": 3})
    whole = batches.measure(members, summaries.spectrum)
    monkeypatch.setattr(summaries, "DIRECT_NODES", 10)
    summaries._reference.cache_clear()
    large = batches.measure(members, summaries.spectrum)
    summaries._reference.cache_clear()
    for a, b in zip(whole, large, strict=True):
        for name in summaries.FIEDLER:
            assert b.metrics[name] == pytest.approx(a.metrics[name], abs=1e-6)


def test_where_nothing_else_is_left_anything_is_aligned_and_nothing_told():
    for edges in (np.array([[0, 1]]), np.argwhere(np.triu(np.ones((5, 5)), 1))):
        n = edges.max() + 1
        x = np.random.default_rng(0).standard_normal((2, n, 6))
        found = fiedler_alignment(x, spectral_reference(edges, n))
        assert np.isnan(found.score).all()
        assert np.isnan(found.angles).all()
