"""Sums of products stay in float32 while stacks train, and the switch is put back."""

import pytest
import torch

from geomem.kernels.cuda_matmul import float32_sums
from geomem.train.stack import train_stack

SETTINGS = torch.backends.cuda.matmul


@pytest.mark.parametrize("before", [True, False])
def test_the_switch_is_put_back_after_an_error_too(before):
    found = SETTINGS.allow_bf16_reduced_precision_reduction
    SETTINGS.allow_bf16_reduced_precision_reduction = before
    try:
        with float32_sums():
            assert not SETTINGS.allow_bf16_reduced_precision_reduction
        with pytest.raises(RuntimeError), float32_sums():
            raise RuntimeError
        assert SETTINGS.allow_bf16_reduced_precision_reduction == before
    finally:
        SETTINGS.allow_bf16_reduced_precision_reduction = found


def test_stacks_train_with_it(make_run):
    seen = []

    def stop():
        seen.append(SETTINGS.allow_bf16_reduced_precision_reduction)
        return False

    train_stack([make_run(train={"steps": 2})], stop=stop)
    assert seen == [False, False]
    assert SETTINGS.allow_bf16_reduced_precision_reduction
