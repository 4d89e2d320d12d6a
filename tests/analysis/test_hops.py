"""Distances in the graph, and whether those of embeddings follow them."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from geomem.analysis import hops
from geomem.analysis.geometry import cosine_distances
from geomem.analysis.hops import hop_correlation, hop_distances, hop_table
from tests.analysis.small_graphs import associative, cycle, grid, path, perfect_star, star


def test_hop_distances():
    assert hop_distances(path(4), 4).tolist() == [[abs(i - j) for j in range(4)] for i in range(4)]
    assert hop_distances(cycle(6), 6, np.array([0])).tolist() == [[0, 1, 2, 3, 2, 1]]
    assert hop_distances(np.array([[2, 0]]), 3)[0].tolist() == [0, np.inf, 1]


def test_a_circle_is_ordered_as_its_cycle():
    angle = 2 * np.pi * np.arange(12) / 12
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    assert hop_correlation(circle, hop_table(cycle(12), 12)) == pytest.approx(1)
    assert hop_correlation(circle, hop_table(cycle(12), 12), least=2) == pytest.approx(1)


@pytest.mark.parametrize("edges", [cycle(15), grid(4, 4), star(4, 5)[0]])
def test_an_associative_embedding_has_no_multi_hop_correlation(edges):
    n = edges.max() + 1
    embedding = associative(edges, n)
    assert hop_correlation(embedding, hop_table(edges, n), least=2) == 0
    assert hop_correlation(embedding, hop_table(edges, n)) > 0.2  # it does know the edges


def test_it_is_spearmans_coefficient():
    n, edges = 20, grid(4, 5)
    embedding = np.random.default_rng(0).standard_normal((3, n, 4))
    first, second = np.triu_indices(n, 1)
    for least in (1, 3):
        distance = hop_distances(edges, n)[first, second]
        kept = distance >= least
        for k, found in enumerate(hop_correlation(embedding, hop_table(edges, n), least)):
            values = cosine_distances(embedding[k], embedding[k])[first, second]
            assert found == pytest.approx(spearmanr(values[kept], distance[kept])[0])


def test_ranks_with_ties():
    values = np.random.default_rng(0).integers(0, 5, (6, 40)).astype(float)
    np.testing.assert_array_equal(hops._ranks(values), rankdata(values, axis=1) - 1)


def test_pairs_without_a_path_and_sets_without_a_spread():
    edges = np.array([[0, 1], [1, 2], [3, 4]])
    table = hop_table(edges, 5)
    assert np.isfinite(table.hops).sum() == 4
    embedding = np.random.default_rng(0).standard_normal((5, 3))
    assert np.isnan(hop_correlation(embedding, hop_table(edges, 5, np.array([3, 4]))))
    assert np.isnan(hop_correlation(embedding, table, least=3))


def test_sets_have_distances_through_the_whole_graph():
    _, arms = star(3, 4)
    edges, leaves = star(3, 4)[0], arms[:, -1]
    table = hop_table(edges, 10, np.concatenate([leaves, [0]]))
    assert sorted(table.hops[np.isfinite(table.hops)].tolist()) == [3, 3, 3, 6, 6, 6]


def test_large_sets_are_sampled_the_same_way_each_time():
    embedding, edges, _ = perfect_star(40, 5)
    embedding = embedding + 0.3 * np.random.default_rng(0).standard_normal(embedding.shape)
    whole = hop_correlation(embedding, hop_table(edges, 161))
    table = hop_table(edges, 161, limit=64 * 161)
    assert len(table.sources) == 64
    first, other = table.sources[:2]
    assert np.isfinite(table.hops[0, other]) != np.isfinite(table.hops[1, first])
    sampled = hop_correlation(embedding, table)
    assert sampled == hop_correlation(embedding, hop_table(edges, 161, limit=64 * 161))
    assert sampled == pytest.approx(whole, abs=0.03)
