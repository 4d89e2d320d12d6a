"""Geometry measures on arrays whose answer is known."""

import itertools

import numpy as np
import pytest
import torch

from geomem.analysis.geometry import (
    as_retrieval,
    cosine_distances,
    geometric_level,
    mean_similarity,
    path_contrast,
    path_distances,
    principal_components,
)
from geomem.analysis.hops import hop_correlation, hop_table
from geomem.analysis.laplacian import spectral_reference
from geomem.analysis.recall import edge_recovery
from geomem.analysis.retrieval import first_hop_retrieval
from geomem.analysis.scores import edge_margin, make_scores
from tests.analysis.small_graphs import star


def test_cosine_distances():
    a = np.array([[1.0, 0], [0, 2], [0, 0]])
    np.testing.assert_allclose(
        cosine_distances(a, np.array([[3.0, 0], [-1, 0]])), [[0, 2], [1, 1], [1, 1]]
    )


EDGES = np.array([[0, 1], [1, 2]])
NO_EDGES = [
    (EDGES[:, :1], r"integers \[E, 2\], got int64 \(2, 1\)"),
    (np.array([[0, 1, 2], [1, 2, 0]]), r"integers \[E, 2\], got int64 \(2, 3\)"),
    (EDGES * 1.0, r"integers \[E, 2\], got float64"),
    (-EDGES, "join nodes 0…2, got -2"),
    (EDGES + 1, "join nodes 0…2, got 3"),
]


@pytest.mark.parametrize(("edges", "told"), NO_EDGES)
def test_what_is_no_edge_of_the_nodes_is_refused(edges, told):
    for measure in (
        lambda: geometric_level(np.eye(3), edges),
        lambda: hop_table(edges, 3),
        lambda: spectral_reference(edges, 3),
    ):
        with pytest.raises(ValueError, match=told):
            measure()


def test_retrieval_ranks():
    found = as_retrieval(np.array([1, 1, 0]), np.array([0, 1, 0]), others=2)
    assert found.top1.tolist() == [0, 0, 1]
    assert found.reciprocal_rank == pytest.approx([1 / 2, 1 / 3, 1])
    assert found.auc == pytest.approx([0.5, 0.25, 1])


def test_principal_components_of_a_line():
    line = np.arange(5.0)[:, None] * np.array([3.0, 4.0]) + 7
    points = principal_components(line, 2)
    np.testing.assert_allclose(points[:, 0], 5 * (np.arange(5) - 2))
    np.testing.assert_allclose(points[:, 1], 0, atol=1e-12)


def test_level_and_mean_of_all_pairs():
    embedding = np.array([[1.0, 0], [2, 0], [0, 3], [0, -1]])
    edges = np.array([[0, 1], [1, 2], [2, 3]])
    assert geometric_level(embedding, edges) == pytest.approx((1 + 0 - 1) / 3)
    assert geometric_level(embedding, edges, "dot") == pytest.approx((2 + 0 - 3) / 3)
    pairs = list(itertools.combinations(range(4), 2))
    assert mean_similarity(embedding) == pytest.approx(geometric_level(embedding, np.array(pairs)))
    assert np.isnan(geometric_level(embedding, np.empty((0, 2), int)))


def test_path_distances_are_means_over_pairs():
    rng = np.random.default_rng(0)
    _, arms = star(3, 4)
    embedding = rng.standard_normal((2, 10, 5))
    found = path_distances(embedding, arms)
    for k, i, j in itertools.product(range(2), range(3), range(3)):
        each = cosine_distances(embedding[k, arms[i, 1:]], embedding[k, arms[j, 1:]])
        expected = each[np.triu_indices(3, 1)].mean() if i == j else each.mean()
        assert found[k, i, j] == pytest.approx(expected)
    np.testing.assert_allclose(path_distances(embedding, arms, slice(1, 3)), found[:, 1:])
    contrast, other = path_contrast(embedding, arms), ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(contrast.within, np.trace(found, axis1=1, axis2=2) / 3)
    np.testing.assert_allclose(contrast.between, found[:, other].mean(1))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_one_node_is_like_no_other_without_a_warning(kind):
    one = kind(np.ones((2, 3, 1, 5)))
    for measure in ("cosine", "dot"):
        found = mean_similarity(one, measure)
        assert found.shape == (2, 3)
        assert np.isnan(found).all()
    _, arms = star(1, 4)
    contrast = path_contrast(kind(np.ones((2, 4, 5))), arms)
    assert np.isnan(contrast.between).all()
    assert contrast.within == pytest.approx([0, 0])
    _, short = star(3, 2)
    assert np.isnan(path_contrast(kind(np.ones((2, 4, 5))), short).within).all()


CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=CUDA)])
def test_members_and_tensors_and_pieces_change_nothing(device):
    rng = np.random.default_rng(0)
    edges, arms = star(6, 4)
    embedding = rng.standard_normal((3, 4, 19, 5))
    for measure in (
        lambda x, **options: geometric_level(x, edges, **options),
        lambda x, **options: first_hop_retrieval(x, arms, **options).auc,
        lambda x, **options: hop_correlation(x, hop_table(edges, 19), **options),
        lambda x, **options: edge_margin(make_scores(x), edges, **options),
        lambda x, **options: edge_recovery(make_scores(x), edges, **options).edges,
    ):
        whole = measure(embedding)
        assert whole.shape[:2] == (3, 4)
        np.testing.assert_allclose(measure(embedding, limit=1), whole)
        np.testing.assert_allclose(measure(torch.from_numpy(embedding).to(device)), whole)
        np.testing.assert_allclose(measure(embedding[1, 2]), whole[1, 2])
