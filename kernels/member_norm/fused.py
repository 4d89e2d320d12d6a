"""The Triton implementation: norms of blocks, and then of these.

K members · P elements of a member in an array
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

from math import ceil

import torch
import triton
import triton.language as tl
from torch import Tensor

from geomem.kernels._arrays import batches, locate, pick


@triton.jit
def norm_kernel(
    arrays, arrays_k, sizes, starts, columns, norms, M, N: tl.constexpr, BLOCK: tl.constexpr
):
    program = tl.program_id(0)
    k, start, P = locate(sizes, starts, program, N, BLOCK)
    i = tl.arange(0, BLOCK)
    at = pick(arrays, starts, program, N) + k * pick(arrays_k, starts, program, N) + start
    x = tl.load(at + i, mask=i < P - start, other=0.0)
    column = pick(columns, starts, program, N) + start // BLOCK
    tl.store(norms + k * M + column, tl.sqrt(tl.sum(x * x, 0)))


def run(arrays: list[Tensor]) -> Tensor:
    """Return norms on the device of the arrays, without waiting for it."""
    K = len(arrays[0])
    arrays = [t if t.shape[1] == 1 or t.stride(1) == 1 else t.contiguous() for t in arrays]
    launches, columns, M = list(batches(K, [t.shape[1] for t in arrays])), [], 0
    for batch in launches:
        blocks = [ceil(P / batch.options["BLOCK"]) for P in batch.sizes]
        columns.append(tuple(M + sum(blocks[:j]) for j in range(len(blocks))))
        M += sum(blocks)
    norms = arrays[0].new_empty(K, M)
    with torch.cuda.device_of(norms):
        for batch, own in zip(launches, columns, strict=True):
            tensors = tuple(arrays[place] for place in batch.places)
            norm_kernel[(batch.programs,)](
                arrays=tensors, arrays_k=tuple(t.stride(0) for t in tensors), sizes=batch.sizes,
                starts=batch.starts, columns=own, norms=norms, M=M, N=len(tensors), **batch.options,
            )  # fmt: skip
    norm: Tensor = torch.linalg.vector_norm(norms, dim=1)
    return norm
