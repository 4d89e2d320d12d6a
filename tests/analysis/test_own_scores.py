"""Measures of a model's scores are those of its own scores, and left out where there are none."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from geomem.analysis import summaries
from geomem.analysis.batches import measure
from geomem.analysis.hops import hop_correlation, hop_distances, hop_table
from geomem.analysis.sweeps import open_sweep
from tests.analysis.made import make_members
from tests.analysis.trained import train_sweep

GRID = """
version: 1
name: own
defaults:
  graph: {{kind: path_star, arms: 4, length: 5}}
  task: {{recipe: edges_only}}
  optim: {{lr: 1e-2, weight_decay: 0.0}}
  train: {{steps: 300}}
  model: {model}
seeds: 0-1
execution: {{threads: 1, workers: 1, parameters: true}}
"""
NET = "kind: feed_forward, layers: 1, width: 32, "


def _rows(folder, model, compute):
    sweep = open_sweep(train_sweep(folder, GRID.format(model=f"{{{model}}}")))
    return sweep.members, [row.metrics for row in measure(sweep.members, compute)]


@pytest.mark.parametrize("tie", ["true", "false"])
def test_one_map_is_scored_as_the_model_scores(tmp_path, tie):
    members, rows = _rows(tmp_path, f"{NET}tie: {tie}", summaries.recall)
    spectra = measure(members, summaries.spectrum)
    for member, row, spectrum in zip(members, rows, spectra, strict=True):
        E, W = (member.tensor(name).astype(float) for name in ("embedding", "parameters/map0"))
        U = member.tensor("unembedding").astype(float) if tie == "false" else E
        scores, near = E @ W @ U.T, np.zeros((len(E), len(E)), bool)
        for u, v in member.tensor("edges"):
            near[u, v] = near[v, u] = True
        others = ~near & ~np.eye(len(E), dtype=bool)
        best, rival = (np.where(which, scores, -np.inf).max(1) for which in (near, others))
        assert spectrum.metrics["margin"] == pytest.approx((best - rival).mean(), rel=1e-9)
        assert row["edge_recovery"] == row["recovery_map"] == 1
        assert ("margin_skewed" in spectrum.metrics) == (tie == "true")


def test_a_model_with_layers_between_has_no_scores_of_its_tables(tmp_path):
    model = "kind: transformer, layers: 1, width: 32, tie: false"
    members, rows = _rows(tmp_path, model, summaries.recall)
    (spectrum, *_) = measure(members, summaries.spectrum)
    assert members[0].has("unembedding")
    assert "recovery_map" not in rows[0]
    assert {"margin", "margin_skewed"}.isdisjoint(spectrum.metrics)
    assert "margin_geometric" in spectrum.metrics


def test_nearly_equal_rows_are_measured_as_far_as_they_are_stored():
    """What tells nodes apart is a thousandth of what they share: in float32 nothing is left."""
    place = np.stack(np.divmod(np.arange(64), 8), 1) + np.random.default_rng(0).random((64, 2))
    whole = np.concatenate([np.ones((64, 1)), 1e-4 * place], 1).astype(np.float32)
    square = {"kind": "grid", "rows": 8, "columns": 8}
    (member,) = make_members(1, square, {"recipe": "edges_only"}, width=3)
    edges = member.tensor("edges")
    member.tensor("embedding")[:] = whole
    (row,) = measure([member], summaries.geometry)
    wanted = _spearman(whole.astype(float), edges)
    assert wanted > 0.8
    assert row.metrics["spearman"] == pytest.approx(wanted, abs=1e-9)
    assert hop_correlation(whole, hop_table(edges, 64)) < 0.5


def _spearman(x, edges):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    pairs = np.triu_indices(len(x), 1)
    hops = hop_distances(edges, len(x))
    return spearmanr((1 - unit @ unit.T)[pairs].round(12), hops[pairs]).statistic
