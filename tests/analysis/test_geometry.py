"""Geometry measures on arrays whose answer is known."""

import itertools

import numpy as np
import pytest

from geomem.analysis.geometry import (
    cosine_distances,
    leaf_first_hop,
    own_arm_retrieval,
    principal_components,
)


def test_cosine_distances():
    a = np.array([[1.0, 0], [0, 2], [0, 0]])
    np.testing.assert_allclose(
        cosine_distances(a, np.array([[3.0, 0], [-1, 0]])), [[0, 2], [1, 1], [1, 1]]
    )


def test_a_geometric_embedding_finds_every_arm():
    arms = np.array([[0, 1, 2], [0, 3, 4], [0, 5, 6]])
    embedding = np.zeros((7, 3))
    for arm in range(3):
        embedding[arms[arm, 1:], arm] = 1
    found = own_arm_retrieval(leaf_first_hop(embedding, arms), np.arange(3))
    assert found.top1.tolist() == found.reciprocal_rank.tolist() == found.auc.tolist() == [1] * 3


def test_an_associative_embedding_says_nothing_of_far_nodes():
    """One dimension per edge: leaf and first hop of no arm share an edge, so all is a tie."""
    arms = np.array([[0, 1, 2, 3], [0, 4, 5, 6], [0, 7, 8, 9]])
    edges = [(a, b) for arm in arms.tolist() for a, b in itertools.pairwise(arm)]
    embedding = np.zeros((10, len(edges)))
    for i, edge in enumerate(edges):
        embedding[list(edge), i] = 1
    found = own_arm_retrieval(leaf_first_hop(embedding, arms), np.arange(3))
    assert found.top1.tolist() == [0, 0, 0]
    assert found.auc.tolist() == [0.5] * 3


def test_retrieval_ranks():
    distances = np.array([[0.2, 0.1, 0.3], [0.1, 0.5, 0.5], [0.3, 0.2, 0.1]])
    found = own_arm_retrieval(distances, np.array([0, 1, 2]))
    assert found.top1.tolist() == [0, 0, 1]
    assert found.reciprocal_rank == pytest.approx([1 / 2, 1 / 3, 1])
    assert found.auc == pytest.approx([0.5, 0.25, 1])


def test_principal_components_of_a_line():
    line = np.arange(5.0)[:, None] * np.array([3.0, 4.0]) + 7
    points = principal_components(line, 2)
    np.testing.assert_allclose(points[:, 0], 5 * (np.arange(5) - 2))
    np.testing.assert_allclose(points[:, 1], 0, atol=1e-12)
