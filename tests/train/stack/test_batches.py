"""Parts of a step share one axis of rows; K = 2 members."""

import torch

from geomem.kernels import Targets
from geomem.models import Segment
from geomem.train.stack.batches import Part, join_targets
from tests.kernels.loss_cases import inputs, ours, textbook

ROWS = 3
LIST = Targets(
    torch.tensor([[0, 0, 2], [1, -1, -1]]),
    torch.tensor([[4, 5, 6], [7, 0, 0]]),
    torch.tensor([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]]),
)
HARD = torch.tensor([[3, -1, 2], [1, 0, -1]])


def part(targets):
    return Part(Segment(torch.zeros(2, ROWS, 1, dtype=torch.int64), None, 1), targets)


def entries(targets):
    """Of each member, (row, token, weight) of what is no padding."""
    columns = (t.tolist() for t in targets)
    members = (list(zip(*lists, strict=True)) for lists in zip(*columns, strict=True))
    return [[entry for entry in member if entry[0] >= 0] for member in members]


def test_padding_of_a_list_stays_padding_and_goes_last():
    joined = join_targets([part(LIST), part(LIST)])
    assert entries(joined) == [
        [(0, 4, 1), (0, 5, 2), (2, 6, 3), (3, 4, 1), (3, 5, 2), (5, 6, 3)],
        [(1, 7, 4), (4, 7, 4)],
    ]
    assert joined.row[1].tolist() == [1, 4, -1, -1, -1, -1]


def test_a_hard_target_that_does_not_count_is_padding_in_a_list():
    joined = join_targets([part(HARD), part(LIST)])
    assert entries(joined) == [
        [(0, 3, 1), (2, 2, 1), (3, 4, 1), (3, 5, 2), (5, 6, 3)],
        [(0, 1, 1), (1, 0, 1), (4, 7, 4)],
    ]
    assert (joined.token >= 0).all()


def test_the_loss_of_joined_parts_is_that_of_the_parts():
    x, e, _ = inputs(2, 3 * ROWS, 9, 4, torch.float64)
    joined = join_targets([part(LIST), part(HARD), part(LIST)])
    total, weight = torch.zeros(2).double(), torch.zeros(2).double()
    for i, targets in enumerate((LIST, HARD, LIST)):
        counts = targets.weight.sum(1) if targets is LIST else (targets >= 0).sum(1)
        total += textbook(x[:, i * ROWS : (i + 1) * ROWS], e, targets)[0] * counts
        weight += counts
    for impl in ("eager", "reference"):
        found = ours(x, e, joined, impl=impl)[0].loss
        torch.testing.assert_close(found, total / weight)


def test_one_part_and_hard_parts_stay_what_they_are():
    assert join_targets([part(LIST)]) is LIST
    assert torch.equal(join_targets([part(HARD), part(HARD)]), torch.cat([HARD, HARD], 1))
