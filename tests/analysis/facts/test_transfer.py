"""Facts set by hand into a network whose selector is known to be perfect."""

from dataclasses import replace

import numpy as np
import pytest

from geomem.analysis.facts.gates import firing, gate_measures
from geomem.analysis.facts.maps import ReadOut, composed, read_out
from geomem.analysis.facts.network import Network
from geomem.analysis.facts.transfer import drawn_network, exchange, read_out_scale, zero_shot
from tests.analysis.facts.made import drawn, facts_from, run_of

N, R, A = 60, 2, 16
SHUT = 100.0


def _selector():
    """Subjects are their attributes side by side; relation r lets channel r pass, unchanged.

    Two neurons carry a coordinate, one each sign; a relation opens its own and shuts the others.
    """
    rng, D = np.random.default_rng(0), R * A + R
    table = rng.standard_normal((N, A))
    attributes = np.zeros((N, D))
    attributes[:, :A] = table / np.linalg.norm(table, axis=1, keepdims=True)
    up, down = np.zeros((D, R * A * 2)), np.zeros((R * A * 2, D))
    for at in range(R * A):
        relation, coordinate = divmod(at, A)
        up[at, 2 * at], up[at, 2 * at + 1] = 1, -1
        down[2 * at, coordinate], down[2 * at + 1, coordinate] = 1, -1
        up[R * A + relation, 2 * at : 2 * at + 2] = 1
    # Attention hands on the channels alone, so that no subject can open a gate.
    channels = np.diag([1.0] * (R * A) + [0.0] * R)
    relations = np.zeros((R, D))
    relations[:, R * A :] = SHUT * np.eye(R)
    network = Network(
        relations=relations, attributes=attributes, positions=np.zeros((2, D)),
        query=np.zeros((D, D)), mixing=2 * channels, up=up, up_bias=np.full(R * A * 2, -SHUT),
        down=down, down_bias=np.zeros(D), offset=0.0, token_residual=True, mlp_residual=False,
    )  # fmt: skip
    return network, attributes


@pytest.fixture(scope="module")
def facts():
    network, attributes = _selector()
    run = run_of(N, R, width=attributes.shape[1])
    made = facts_from(run, drawn(run))
    channels = [attributes[row, :A] for row in made.answers] + [np.zeros((N, R))]
    centres = np.stack([attributes[row].mean(0) for row in made.answers])
    return replace(
        made,
        subjects=np.concatenate(channels, 1),
        attributes=attributes,
        centres=centres,
        network=network,
    )


@pytest.fixture
def readout(facts):
    return read_out(facts.network, facts.subjects)


def test_the_selector_answers_every_fact(facts):
    assert facts.network.accuracy(facts.subjects, facts.answers).tolist() == [1, 1]


def test_its_jacobian_is_the_channel_of_the_relation(facts, readout):
    for r in range(R):
        channel = np.zeros_like(readout.jacobians[r])
        channel[r * A : (r + 1) * A, :A] = np.eye(A)
        np.testing.assert_allclose(readout.jacobians[r], channel, atol=1e-12)


def test_the_scale_makes_up_for_the_ridge(facts, readout):
    """Subjects say exactly their attributes; T shrinks by its ridge, and the scale undoes that."""
    scale = read_out_scale(facts, readout)
    assert scale > 1
    made = scale * composed(facts, readout.inverse)
    np.testing.assert_allclose(made, facts.subjects - facts.subjects.mean(0), atol=1e-9)


def test_exchange_changes_one_answer_alone(facts, readout):
    target, others = exchange(facts, readout, np.random.default_rng(0))
    assert (target, others) == (1, 1)
    alone = replace(facts, answers=facts.answers[:1], centres=facts.centres[:1])
    one = ReadOut(*(maps[:1] for maps in readout))
    assert np.isnan(exchange(alone, one, np.random.default_rng(0))[1])


def test_new_facts_are_answered_and_controls_are_not(facts, readout):
    found = zero_shot(facts, readout, np.random.default_rng(0))
    assert found["zero_shot"] == found["zero_shot_ridge"] == 1
    for name in ("old", "wrong", "ridge_wrong"):
        assert found[f"zero_shot_{name}"] < 0.1, name
    assert found["zero_shot_untrained"] < 0.7


def test_a_network_that_selects_nothing_transfers_nothing(facts):
    """The same subjects and tables with a random first layer: what counts is the network."""
    up = np.random.default_rng(5).standard_normal(facts.network.up.shape)
    other = replace(facts, network=replace(facts.network, up=up, up_bias=np.zeros(len(up.T))))
    readout = read_out(other.network, other.subjects)
    assert zero_shot(other, readout, np.random.default_rng(0))["zero_shot"] < 0.6


def test_drawn_networks_follow_the_configuration():
    run = run_of(500, 4, width=32, mlp_width=400, subject_std=0.5, position_std=3.0)
    facts = facts_from(run, drawn(run))
    network, subjects = drawn_network(facts, np.random.default_rng(0))
    assert subjects.std() == pytest.approx(0.5, rel=0.05)
    assert network.up.std() == pytest.approx((2 / 32) ** 0.5, rel=0.05)
    assert network.down.std() == pytest.approx(400**-0.5, rel=0.05)
    np.testing.assert_allclose(network.mixing @ network.mixing.T, np.eye(32), atol=1e-10)
    tied = facts_from(run_of(tie=True), drawn(run_of(tie=True)))
    network, subjects = drawn_network(tied, np.random.default_rng(0))
    assert network.attributes is subjects


def test_gates_of_the_selector(facts):
    rates = firing(facts)
    assert rates.shape == (R, R * A * 2)
    assert (rates[0, 2 * A :] == 0).all()
    assert (rates[1, : 2 * A] == 0).all()
    np.testing.assert_allclose(rates[0, : 2 * A].reshape(A, 2).sum(1), 1)
    found = gate_measures(rates)
    assert found["gates_open"] == pytest.approx(0.25)
    assert found["gates_overlap"] == 0
    assert found["gates_select"] == 0


def test_what_gates_are_counted_as():
    found = gate_measures(np.array([[1.0, 0.0, 0.5, 0.99], [0.0, 0.0, 0.5, 0.96]]))
    assert found["gates_fixed"] == 0.75
    assert found["gates_select"] == 0.25
    assert found["gates_open.0"] == pytest.approx(0.6225)
    assert "gates_overlap" not in gate_measures(np.ones((1, 3)))
