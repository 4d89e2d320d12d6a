"""The network in NumPy against the one that is trained, and its Jacobian against autograd."""

import numpy as np
import pytest
import torch

from geomem.models import output_matrix, pairs
from tests.analysis.facts.made import drawn, facts_from, model_of, run_of

SWITCHES = [
    {},
    {"attention_bias": True, "token_residual": False},
    {"mlp_residual": True, "attention_start": "normal"},
    {"tie": True},
]


def _outputs(run, params, which):
    first = torch.tensor(which)[None]
    second = run.task.subjects + torch.arange(run.task.relations)[None]
    hidden = model_of(run).hidden(params, [pairs(first, second)], None)
    return hidden.view(run.task.relations, len(which), -1)


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_outputs_and_answers_are_those_of_the_model(switches):
    run = run_of(**switches)
    params = drawn(run)
    facts, which = facts_from(run, params), [3, 0, 11, 7]
    expected = _outputs(run, params, which)
    best = (expected @ output_matrix(params)[0].T).argmax(2)
    for r in range(3):
        subjects = facts.subjects[which]
        np.testing.assert_allclose(
            facts.network.outputs(r, subjects), expected[r].numpy(), rtol=1e-10, atol=1e-12
        )
        assert facts.network.answers(r, subjects).tolist() == best[r].tolist()


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_the_jacobian_is_the_mean_of_those_by_autograd(switches):
    run = run_of(**switches)
    params = drawn(run)
    facts, which = facts_from(run, params), [3, 0, 11, 7]

    def outputs(rows):  # [S, D] -> [R, S, D]
        table = params["embedding"].clone()
        table[0, which] = rows
        return _outputs(run, params | {"embedding": table}, which)

    rows = params["embedding"][0, which]
    whole = torch.autograd.functional.jacobian(outputs, rows)  # [R, S, D out, S, D in]
    own = torch.stack([whole[:, s, :, s] for s in range(len(which))], 1).mean(1)
    for r in range(3):
        found = facts.network.jacobian(r, facts.subjects[which])
        np.testing.assert_allclose(found, own[r].T.numpy(), rtol=1e-9, atol=1e-12)


def test_accuracy_counts_each_relation_for_itself():
    run = run_of()
    facts = facts_from(run, drawn(run))
    found = np.stack([facts.network.answers(r, facts.subjects) for r in range(3)])
    wrong = found.copy()
    wrong[1, :3] = (wrong[1, :3] + 1) % 12
    assert facts.network.accuracy(facts.subjects, wrong).tolist() == [1, 0.75, 1]


def test_known_attributes_are_centred_over_their_own_set():
    run = run_of(task={"attributes": "disjoint"})
    facts = facts_from(run, drawn(run))
    assert facts.attributes.shape == (36, 6)
    for r in range(3):
        np.testing.assert_allclose(facts.known(r).mean(0), 0, atol=1e-12)
    some = facts.only(np.array([1, 5]))
    np.testing.assert_array_equal(some.known(2), facts.known(2)[[1, 5]])
