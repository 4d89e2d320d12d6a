"""Targets as slots of rows, and how long the slots of a list last."""

import gc

import pytest
import torch

from geomem.kernels import Targets
from geomem.kernels.linear_cross_entropy import eager, reference, slots
from geomem.kernels.linear_cross_entropy.problem import Problem
from tests.kernels.loss_cases import inputs, ours, several


def slots_for(x, e, t, weights=None):
    lists = t if isinstance(t, Targets) else (None, t, None)
    return slots.slots_of(Problem(x, e, *lists, weights, None, False, False, True, True))


def test_a_row_has_slots_for_its_targets_and_repeats_the_first():
    row = torch.tensor([[0, 0, 2, 2, 2], [1, 2, -1, -1, -1]])
    token = torch.tensor([[3, 4, 1, 0, 5], [6, 7, 0, 0, 0]])
    weight = torch.tensor([[1.0, 3.0, 1.0, 1.0, 2.0], [2.0, 6.0, 0.0, 0.0, 0.0]])
    x, e, _ = inputs(2, 3, 8, 4, torch.float32)
    found = slots_for(x, e, Targets(row, token, weight))
    assert found.token.tolist() == [
        [[3, 4, 3], [0, 0, 0], [1, 0, 5]],
        [[0, 0, 0], [6, 6, 6], [7, 7, 7]],
    ]
    assert found.several.weight[0].tolist() == [[1, 3, 0], [0, 0, 0], [1, 1, 2]]
    assert found.several.counted[0].tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert found.several.lack[0, 0].tolist() == [0.75, 0.25, 0.75]
    assert found.several.lack[1, 1].tolist() == [0, 0, 0]
    assert found.mass.tolist() == [8, 8]
    assert found.share[..., 0].tolist() == [[0.5, 0, 0.5], [0, 0.25, 0.75]]


def test_lists_of_single_targets_are_as_quick_as_hard_ones():
    x, e, t = inputs(2, 6, 9, 4, torch.float32)
    row = torch.arange(6).expand(2, -1).contiguous()
    found = slots_for(x, e, Targets(row, t, torch.ones(2, 6)))
    assert found.several is None
    assert torch.equal(found.token[..., 0], t)
    assert slots_for(x, e, Targets(row, t, torch.full((2, 6), 2.0))).several is not None
    assert slots_for(x, e, Targets(row, t, torch.ones(2, 6)), torch.rand(2, 6)).several is not None
    assert slots_for(x, e, Targets(row[:, :5], t[:, :5], torch.ones(2, 5))).several is not None


def test_a_row_of_many_targets_is_left_to_the_reference():
    x, e, _ = inputs(2, 3, 20, 4, torch.float64)
    t = several(2, 3, 20, most=slots.MOST + 1)
    assert slots_for(x, e, t) is None
    a, b = ours(x, e, t, impl="eager"), ours(x, e, t, impl="reference")
    for found, expected in zip((*a[0], *a[1:]), (*b[0], *b[1:]), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("kind", ["hard", "several"])
def test_members_in_range_do_without_the_reference(monkeypatch, kind):
    x, e, t = inputs(2, 30, 40, 16, torch.float32)
    t = several(2, 30, 40) if kind == "several" else t
    monkeypatch.setattr(reference, "run", None)
    assert ours(x, e, t, impl="eager")[0].loss.isfinite().all()


def test_a_list_is_placed_once_until_somebody_writes_to_it(monkeypatch):
    placed, place = [], slots._placed
    monkeypatch.setattr(slots, "_placed", lambda *a: placed.append(1) or place(*a))
    x, e, _ = inputs(2, 5, 9, 4, torch.float32)
    t = several(2, 5, 9)
    first = ours(x, e, t)[0].loss
    assert torch.equal(ours(x, e, t)[0].loss, first)
    assert len(placed) == 1
    for step, tensor in enumerate((t.weight.mul_(torch.rand_like(t.weight)), t.token, t.row)):
        tensor += 0
        changed = ours(x, e, t)[0].loss
        assert len(placed) == step + 2
    assert not torch.equal(changed, first)
    assert torch.equal(changed, ours(x, e, Targets(*(v.clone() for v in t)))[0].loss)
    other = t._replace(weight=t.weight * 2)
    ours(x, e, other)
    ours(x.double(), e.double(), other)
    ours(torch.cat([x, x], 1), e, other)
    assert len(placed) == 8


def test_what_is_known_of_a_list_goes_with_it():
    x, e, _ = inputs(2, 5, 9, 4, torch.float32)
    t = several(2, 5, 9)
    gc.collect()
    before = len(slots._known)
    ours(x, e, t, impl="eager")
    assert len(slots._known) == before + 1
    del t
    gc.collect()
    assert len(slots._known) == before


def test_inference_mode():
    x, e, _ = inputs(2, 5, 9, 4, torch.float32)
    expected = ours(x, e, several(2, 5, 9))[0].loss
    with torch.inference_mode():
        found = eager.run(
            Problem(x, e, *several(2, 5, 9), None, None, False, False, False, False)
        ).loss
    assert torch.equal(found, expected)
