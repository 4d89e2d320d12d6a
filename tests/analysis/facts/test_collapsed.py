"""Runs that collapsed or are too narrow: what they cannot have is missing, never a number."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from geomem.analysis.cli import cli
from geomem.analysis.facts.maps import read_out, ridge_map
from geomem.analysis.facts.network import highest
from geomem.analysis.facts.summary import structure_of
from geomem.analysis.facts.transfer import untrained_zero_shot
from tests.analysis.facts.made import drawn, facts_from, run_of
from tests.analysis.trained import train_sweep
from tests.calls import call

THROUGH_NETWORK = {"exchange_target", "exchange_others", "zero_shot", "zero_shot_wrong"}
GRID = """
version: 1
defaults:
  task: {kind: facts, subjects: 16, relations: 2}
  model: {kind: recall, width: 8}
  optim: {lr: 1e-2}
  train: {steps: 20}
grid:
  model.mlp_width: [1, 2, 16]
runs:
  - {task.subjects: 2, task.relations: 1, model.width: 1, model.mlp_width: 1}
overrides:
  - {where: {model.mlp_width: 2}, set: {optim.lr: 1}}
seeds: 0-1
execution: {workers: 1}
"""


def _facts(**changes):
    run = run_of()
    facts = facts_from(run, drawn(run))
    return replace(facts, **changes) if changes else facts


def _undefined(found):
    return {name for name, value in found.items() if np.isnan(value)}


def _dead():
    """No neuron fires, whatever the subject."""
    facts = _facts()
    bias = np.full_like(facts.network.up_bias, -1e3)
    network = replace(facts.network, up_bias=bias, mlp_residual=False)
    return replace(facts, network=network)


def test_a_sound_run_has_every_measure():
    assert _undefined(structure_of(_facts())) == set()


def test_a_network_that_no_subject_moves_has_no_inverse():
    facts = _dead()
    readout = read_out(facts.network, facts.subjects)
    assert (readout.jacobians == 0).all()
    assert np.isnan(readout.inverse).all()
    found = structure_of(facts)
    assert _undefined(found) == THROUGH_NETWORK
    assert found["superposition_r2"] == 0
    assert 0 <= found["zero_shot_old"] <= 1


def test_subjects_that_are_all_alike_leave_nothing_to_fit():
    facts = _facts()
    found = structure_of(replace(facts, subjects=0 * facts.subjects))
    assert {"ridge_r2", "probe", "probe_seen"} <= _undefined(found)
    assert not _undefined(found) & {"zero_shot_untrained", "zero_shot_old", "gates_open"}


def test_attributes_that_are_all_alike_can_be_put_together_to_nothing():
    facts = _facts()
    same = replace(facts, attributes=np.ones_like(facts.attributes), centres=np.ones((3, 6)))
    found = _undefined(structure_of(same))
    assert {"ridge_r2", "zero_shot", "zero_shot_ridge", "exchange_target"} <= found


@pytest.mark.parametrize("shape", [(20, 6), (6, 20)])
def test_a_matrix_of_lower_rank_has_its_ridge(shape):
    inputs = np.outer(np.arange(shape[0]), np.ones(shape[1]))
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.solve(inputs.T @ inputs, np.eye(shape[1]))
    fitted = inputs @ ridge_map(inputs, inputs)
    assert 0.95 < np.linalg.norm(fitted) / np.linalg.norm(inputs) < 1
    tiny = ridge_map(1e-140 * inputs, 1e-140 * inputs)
    np.testing.assert_allclose(tiny, ridge_map(inputs, inputs), rtol=1e-9)


@pytest.mark.parametrize("shape", [(20, 6), (6, 20)])
@pytest.mark.parametrize("scale", [0.0, 1e-170, 1e200, np.inf, np.nan])
def test_a_map_that_cannot_be_computed_is_nan(shape, scale):
    with np.errstate(all="ignore"):
        inputs = scale * np.random.default_rng(0).standard_normal(shape)
        found = ridge_map(inputs, np.ones((shape[0], 2)))
    assert found.shape == (shape[1], 2)
    assert np.isnan(found).all()


def test_scores_that_are_no_numbers_name_nothing():
    scores = np.array([[0.0, 2.0, 1.0], [np.nan, 2.0, 1.0], [3.0, np.nan, 1.0], [-np.inf, 0, -1]])
    assert highest(scores).tolist() == [1, -1, -1, 1]
    facts = _facts()
    subjects = facts.subjects.copy()
    subjects[3] = np.nan
    assert np.isnan(facts.network.accuracy(subjects, facts.answers)).all()


def test_an_untrained_network_may_be_one_that_nothing_moves():
    run = run_of(2, 1, width=1, mlp_width=1, mlp_residual=False)
    facts = facts_from(run, drawn(run))
    found = [untrained_zero_shot(facts, np.random.default_rng(seed)) for seed in range(12)]
    assert any(np.isnan(found))
    assert not all(np.isnan(found))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return train_sweep(tmp_path_factory.mktemp("collapsed"), GRID)


def test_one_collapsed_run_takes_nothing_from_the_others(sweep):
    text = call(cli, "superposition", sweep, "--csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 8
    wide = [row for row in rows if row["model.mlp_width"] == "16"]
    assert all(row["zero_shot"] and row["probe"] for row in wide)
    smallest = [row for row in rows if row["task.subjects"] == "2"]
    assert all(not row["probe"] for row in smallest)  # one subject to fit to
    table = call(cli, "superposition", sweep).splitlines()
    assert any("–" in line for line in table)
    assert "threshold" in call(cli, "capacity", sweep, "--over", "mlp_width")
