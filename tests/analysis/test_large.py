"""A path-star of 20 001 nodes in 10 000 arms, whose n x n matrix alone would be 1.6 GB."""

import tracemalloc

import numpy as np
import pytest

from geomem.analysis.geometry import geometric_level, mean_similarity, path_contrast
from geomem.analysis.hops import hop_correlation, hop_table
from geomem.analysis.retrieval import first_hop_retrieval
from geomem.analysis.scores import edge_margin, make_scores
from geomem.analysis.spectrum import negative_share
from tests.analysis.small_graphs import star

EDGES, ARMS = star(10_000, 3)
N = 20_001


@pytest.mark.parametrize(
    "measure",
    [
        lambda x: first_hop_retrieval(x, ARMS, np.arange(2_500)),
        lambda x: hop_correlation(x, hop_table(EDGES, N)),
        lambda x: (geometric_level(x, EDGES), mean_similarity(x), path_contrast(x, ARMS)),
        lambda x: edge_margin(make_scores(x[:1]), EDGES),
        lambda x: negative_share(x, EDGES),
    ],
    ids=["retrieval", "spearman", "means", "margin", "negative share"],
)
def test_memory_stays_far_below_all_pairs(measure):
    embedding = np.random.default_rng(0).standard_normal((2, N, 8)).astype(np.float32)
    tracemalloc.start()
    try:
        measure(embedding)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 400 << 20
