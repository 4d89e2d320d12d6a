"""Margins, recovery, succinctness and intervals computed by hand."""

import math

import numpy as np
import pytest

from geomem.analysis.memory import memory_scores, skewed_weight, succinctness
from geomem.analysis.recall import bootstrap, edge_recovery
from geomem.analysis.scores import Scores, edge_margin, make_scores, node_margins
from tests.analysis.small_graphs import associative, cycle, path, perfect_star, star


def test_margins_of_a_perfect_path_star():
    """E Eᵀ: the same arm 1, the root 1 to all, another arm 0."""
    embedding, edges, _ = perfect_star(3, 3)
    scores = make_scores(embedding)
    # Root: neighbours are the hops (1), others the leaves (1). Hop: 1 less 0. Leaf: its hop 1, but
    # the root, no neighbour, has 1 as well.
    assert node_margins(scores, edges).tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert edge_margin(scores, edges) == pytest.approx(3 / 7)


def test_margins_of_an_associative_embedding():
    """Dot products are the adjacency: every neighbour 1, every other node 0."""
    edges, _ = star(4, 5)
    scores = make_scores(associative(edges, 17))
    assert edge_margin(scores, edges) == 1
    assert edge_recovery(scores, edges).nodes == 1


def test_nodes_that_have_no_margin_do_not_count():
    edges = np.array([[0, 1], [0, 2], [1, 2], [2, 3]])
    scores = Scores(np.arange(25.0).reshape(5, 5))
    margins = node_margins(scores, edges)
    assert np.isnan(margins[4])  # no neighbour
    assert margins[:4].tolist() == [2 - 4, 7 - 9, 13 - 14, 17 - 19]
    assert edge_margin(scores, edges) == pytest.approx(-7 / 4)
    assert np.isnan(edge_margin(Scores(np.ones((2, 2))), np.array([[0, 1]])))


def test_recovery_counts_ties_against_a_neighbour():
    edges = path(3)
    S = np.array([[9.0, 1, 0], [1, 9, 1], [1, 1, 9]])
    found = edge_recovery(Scores(S), edges)
    assert found.nodes == pytest.approx(2 / 3)  # node 2 scores 0 as highly as its neighbour 1
    assert found.edges == pytest.approx(3 / 4)


def test_a_trained_map_and_what_is_left_along_the_axes():
    """E = diag: axes are the dimensions, so that the skewed map is W's diagonal."""
    weight = np.array([[2.0, 5, 0], [5, -1, 0], [0, 0, 3]])
    np.testing.assert_allclose(skewed_weight(np.diag([3.0, 2, 1]), weight), np.diag([2, -1, 3]))
    rng = np.random.default_rng(0)
    embedding, symmetric = rng.standard_normal((2, 4, 7, 5)), rng.standard_normal((2, 1, 5, 5))
    commuting = np.linalg.inv(np.eye(5) + embedding.swapaxes(-1, -2) @ embedding)
    np.testing.assert_allclose(skewed_weight(embedding, commuting), commuting, atol=1e-12)
    found = memory_scores(embedding, cycle(7), symmetric)
    assert found.original.shape == found.skewed.shape == found.geometric.shape == (2, 4)
    assert not np.allclose(found.original, found.skewed)


def test_memory_without_a_map():
    rng = np.random.default_rng(0)
    embedding, other = rng.standard_normal((2, 3, 7, 5))
    tied = memory_scores(embedding, cycle(7))
    np.testing.assert_array_equal(tied.original, tied.geometric)
    untied = memory_scores(embedding, cycle(7), unembedding=other)
    np.testing.assert_array_equal(untied.geometric, tied.geometric)
    assert np.isnan(untied.skewed).all()
    assert not np.allclose(untied.original, untied.geometric)


def test_succinctness():
    both = succinctness(16, 32, 8, 4)
    assert both == (2 * 16 * 5, math.sqrt(32), 32 * 8 * 2, math.sqrt(32))
    one = succinctness(16, 32, 8, 4, both_directions=False, tied=False)
    assert one == (16 * 5, 4, 2 * 32 * 8 * 2, 8)


def test_bootstrap():
    values = np.random.default_rng(0).standard_normal(50)
    found = bootstrap(values)
    half = 1.96 * values.std() / np.sqrt(50)
    assert found == pytest.approx(
        (values.mean() - half, values.mean(), values.mean() + half), abs=0.03
    )
    assert bootstrap(values) == found != bootstrap(values, seed=1)
    assert bootstrap([0.5, 0.5]) == (0.5, 0.5, 0.5)
    assert math.isnan(bootstrap([0.5]).low)
    assert math.isnan(bootstrap([]).middle)
