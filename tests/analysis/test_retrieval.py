"""Leaf to first hop, without the whole matrix."""

import numpy as np
import pytest

from geomem.analysis.geometry import as_retrieval, leaf_first_hop
from geomem.analysis.retrieval import first_hop_retrieval
from tests.analysis.small_graphs import associative, perfect_star, star


def test_a_perfect_path_star():
    embedding, _, arms = perfect_star(5, 4)
    found = first_hop_retrieval(embedding, arms)
    assert found.top1.tolist() == found.reciprocal_rank.tolist() == found.auc.tolist() == [1] * 5


def test_an_associative_embedding_is_one_tie():
    edges, arms = star(5, 4)
    found = first_hop_retrieval(associative(edges, 16), arms)
    assert found.auc.tolist() == [0.5] * 5
    assert found.reciprocal_rank.tolist() == [1 / 5] * 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("measure", ["cosine", "dot"])
def test_equal_rows_tie_whatever_order_their_products_are_added_in(dtype, measure):
    edges, arms = star(257, 3)
    row = np.random.default_rng(0).standard_normal(64).astype(dtype)
    found = first_hop_retrieval(np.tile(row, (len(edges) + 1, 1)), arms, measure=measure)
    assert set(found.auc.tolist()) == {0.5}
    assert set(found.reciprocal_rank.tolist()) == {1 / 257}


def test_one_arm_has_no_rivals():
    embedding, _, arms = perfect_star(1, 4)
    assert np.isnan(np.stack(first_hop_retrieval(embedding, arms))).all()


def test_it_agrees_with_the_whole_matrix():
    _, arms = star(30, 4)
    rng = np.random.default_rng(0)
    embedding = rng.standard_normal((4, 91, 6))
    queries = np.stack([rng.choice(30, 7, replace=False) for _ in range(4)])
    for limit in (1, 1 << 20):
        found = first_hop_retrieval(embedding, arms, queries, limit=limit)
        for k in range(4):
            rows = leaf_first_hop(embedding[k], arms)[queries[k]]
            own = rows[np.arange(7), queries[k]][:, None]
            expected = as_retrieval((rows < own).sum(1), (rows == own).sum(1) - 1, others=29)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one[k], other)


def test_random_embeddings_are_at_chance():
    """auc has mean 0.5; 8 x 512 queries of standard deviation √(1/12) each: five of their means."""
    _, arms = star(512, 3)
    embedding = np.random.default_rng(0).standard_normal((8, 1025, 32)).astype(np.float32)
    found = first_hop_retrieval(embedding, arms)
    assert abs(found.auc.mean() - 0.5) < 5 * np.sqrt(1 / 12 / 4096)
    assert found.top1.mean() == pytest.approx(1 / 512, abs=0.004)


def test_several_leaves_of_one_first_hop():
    paths = np.array([[0, 1, 3], [0, 1, 4], [0, 2, 5], [0, 2, 6]])
    embedding = np.array([[0, 0], [1, 0], [0, 1], [2, 1], [1, 2], [0, 1], [0, 3]])
    found = first_hop_retrieval(embedding.astype(float), paths)
    assert found.top1.tolist() == [1, 0, 1, 1]
    assert found.auc.tolist() == [1, 0, 1, 1]


def test_a_larger_norm_counts_for_dot_products_alone():
    embedding = np.array([[0.0, 0], [1, 0.1], [0, 9], [1, 1], [0, 1]])
    arms = np.array([[0, 1, 3], [0, 2, 4]])
    assert first_hop_retrieval(embedding, arms, measure="dot").top1.tolist() == [0, 1]
    assert first_hop_retrieval(embedding, arms).top1.tolist() == [1, 1]
