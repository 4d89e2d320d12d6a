"""Where Node2Vec ends on the four tiny graphs (arXiv 2510.26745, finding 4)."""

import numpy as np
import pytest

from geomem.analysis.hops import hop_correlation, hop_table
from geomem.analysis.laplacian import spectral_reference
from geomem.analysis.spectrum import (
    coefficient_projections,
    coefficient_residual,
    energy_share,
)
from geomem.train.stack import train_stack
from tests.analysis.trained import TINY


@pytest.mark.parametrize("graph", TINY)
def test_its_columns_end_on_the_constant_and_the_fiedler_like_vectors(make_run, graph):
    optim = {"lr": 0.01, "weight_decay": 0, "schedule": "constant"}
    train = {"steps": 10_000, "eval_every": 10_000, "history_every": 10_000}
    sections = {"graph": TINY[graph], "model": {"kind": "node2vec"}, "optim": optim}
    tensors = train_stack([make_run(s, **sections, train=train) for s in range(2)]).tensors
    history, edges = tensors["history/embedding"], tensors["edges"]
    start, end = history[:, 0], history[:, -1]
    reference = spectral_reference(edges, start.shape[1])
    fiedler = reference.vectors[:, reference.leading(2)]
    basis = np.linalg.qr(np.concatenate([reference.constants, fiedler], 1))[0]
    assert (energy_share(end, basis) >= 0.95).all()
    assert (energy_share(start, basis) <= 0.4).all()
    assert (tensors["metrics/residual"][:, -1] <= 2e-3).all()
    np.testing.assert_allclose(
        coefficient_residual(end, edges), tensors["metrics/residual"][:, -1], rtol=1e-5
    )
    assert (hop_correlation(end, hop_table(edges, start.shape[1])) >= 0.95).all()
    assert (tensors["metrics/edge_recovery"][:, -1] == 1).all()
    before, after = (coefficient_projections(V, edges, fiedler) for V in (start, end))
    if graph == "cycle":  # equal degrees: the eigenvectors themselves end in C's null space
        assert (after <= 0.01 * before).all()
    else:  # only V's columns do
        assert (after.max(1) >= 0.1 * before.max(1)).all()
