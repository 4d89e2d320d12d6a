"""Dropout draws anew at every call, step and member."""

import torch

from geomem.kernels.streams import stream_keys
from geomem.train.stack.sampling import DropoutStream


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
