"""Matrix products of bfloat16 on a GPU add up in float32, whatever they are divided into."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def float32_sums() -> Iterator[None]:
    """Have cuBLAS add partial sums in float32 meanwhile; PyTorch lets it round them to bfloat16.

    The switch holds for the whole process, so it is put back. Programs keep what they were
    compiled under, and graphs what they were recorded under.
    """
    settings = torch.backends.cuda.matmul
    before = settings.allow_bf16_reduced_precision_reduction
    settings.allow_bf16_reduced_precision_reduction = False
    try:
        yield
    finally:
        settings.allow_bf16_reduced_precision_reduction = before
