"""Rows of steps come from one endless order; dropout draws anew at every call, step and member."""

import pytest
import torch

from geomem.kernels.streams import permutations, stream_keys
from geomem.train.stack.sampling import DropoutStream, EpochStream, EpochStreams, Ring
from geomem.train.tasks.ahead import AT_ONCE

CPU = torch.device("cpu")


@pytest.mark.parametrize("batch", [1, 3, 5, 7, 23])
def test_steps_read_an_endless_sequence_whether_prepared_one_by_one_or_together(batch):
    size = AT_ONCE * batch + 5
    endless = torch.arange(10 * size).view(1, -1, 1) * torch.tensor([1, 10])
    drawn = []

    def draw(block):
        drawn.append(block)
        return endless[:, block * size : (block + 1) * size]

    together = Ring(draw, size, batch, CPU)
    one_by_one, step = Ring(draw, size, batch, CPU), 0
    for count in (1, AT_ONCE, 1, AT_ONCE, AT_ONCE, 3, AT_ONCE):
        together.prepare(step, count)
        for i in range(step, step + count):
            wanted = endless[:, i * batch : (i + 1) * batch]
            assert torch.equal(together.batch(torch.tensor(i)), wanted)
            assert torch.equal(one_by_one.batch(i), wanted)
        step += count
    assert all(drawn.count(block) == 2 for block in drawn)  # once for each


def test_a_graph_reads_what_is_prepared_later_from_the_same_places():
    ring = Ring(lambda block: torch.full((1, 16, 1), block), 16, 2, CPU)
    ring.prepare(0, AT_ONCE)
    where = ring._rows.data_ptr()
    ring.prepare(1000, AT_ONCE)
    assert ring._rows.data_ptr() == where
    assert (ring.batch(torch.tensor(1000)) == 125).all()


def test_each_member_has_each_row_once_an_epoch_whatever_is_beside_it():
    sizes, seeds = [6, 6, 10], [4, 5, 6]
    streams = EpochStreams(seeds, "order", sizes, 5, CPU)
    rows = torch.cat([streams.batch(step) for step in range(6)], 1)
    for own, size, seed in zip(rows, sizes, seeds, strict=True):
        for epoch in range(3):
            found = own[epoch * size : (epoch + 1) * size]
            assert found.sort().values.tolist() == list(range(size))
            order = permutations(stream_keys([seed], "order"), size, epoch, 1)
            assert torch.equal(found, order.flatten())
        alone = EpochStream([seed], "order", size, 5, CPU)
        assert torch.equal(torch.cat([alone.batch(s)[0] for s in range(6)]), own)


def test_dropout_differs_between_members_calls_and_steps():
    keys, rates = stream_keys([0, 1], "dropout"), torch.tensor([0.5, 0.5])
    masks = []
    for step in (0, 1, 7, 7 + 2**20, 9_999_999):
        drop = DropoutStream(keys, rates, torch.tensor(step))
        masks += [mask for _ in range(3) for mask in drop(torch.ones(2, 64))]
    for i, mask in enumerate(masks):
        assert set(mask.tolist()) == {0.0, 2.0}
        assert not any(torch.equal(mask, other) for other in masks[:i])


def test_a_step_repeats_its_dropout():
    keys, rates = stream_keys([3], "dropout"), torch.tensor([0.3])
    first, second = (DropoutStream(keys, rates, torch.tensor(5)) for _ in range(2))
    x = torch.randn(1, 4, 9)
    assert torch.equal(first(x), second(x))
