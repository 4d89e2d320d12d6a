"""Facts are bijections; queries follow them hop by hop."""

import pytest
import torch

from geomem.train.config.task import Facts
from geomem.train.tasks.facts import build_facts

CPU = torch.device("cpu")


def _facts(seeds=(0, 1), **fields):
    return build_facts(Facts(kind="facts", **{"subjects": 6, "relations": 3} | fields), seeds, CPU)


def test_every_relation_is_a_bijection_of_its_own():
    answers = _facts(subjects=50).answers
    assert answers.shape == (2, 3, 50)
    assert (answers.sort(2).values == torch.arange(50)).all()
    rows = {tuple(row.tolist()) for row in answers.flatten(0, 1)}
    assert len(rows) == 6


def test_disjoint_relations_share_no_attribute():
    answers = _facts(attributes="disjoint").answers
    assert (answers.flatten(1).sort(1).values == torch.arange(18)).all()
    assert (answers // 6 == torch.arange(3)[:, None]).all()


def test_a_seed_has_the_same_facts_beside_any_other():
    assert torch.equal(_facts(seeds=(5, 1)).answers[1], _facts(seeds=(1,)).answers[0])


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_queries_are_all_there_is_and_follow_the_facts(hops):
    facts = _facts(hops=hops)
    count = 6 * 3**hops
    assert facts.task.query_count == count
    found = facts.queries(torch.arange(count).expand(2, -1))
    assert found.tokens.shape == (2, count, 1 + hops)
    for k in range(2):
        assert len({tuple(tokens) for tokens in found.tokens[k].tolist()}) == count
        for tokens, answers in zip(
            found.tokens[k].tolist(), found.answers[k].tolist(), strict=True
        ):
            at = tokens[0]
            for token, answer in zip(tokens[1:], answers, strict=True):
                at = int(facts.answers[k, token - 6, at])
                assert answer == at


def test_the_last_relation_counts_slowest():
    found = _facts(hops=2).queries(torch.arange(54).expand(2, -1))
    assert found.tokens[0, :, 2].tolist() == sorted(found.tokens[0, :, 2].tolist())


def test_held_out_queries_are_the_others():
    facts = _facts(hops=2, test_fraction=0.25)
    both = torch.cat([facts.train, facts.held_out], 1)
    assert facts.held_out.shape == (2, 14)
    assert (both.sort(1).values == torch.arange(54)).all()
    assert not torch.equal(facts.held_out[0], facts.held_out[1])
    assert _facts(hops=2).held_out is None
