"""The Triton implementation: norms of blocks, and then of these.

K members · P elements of a member in an array
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201

import torch
import triton
import triton.language as tl
from torch import Tensor

from geomem.kernels._arrays import batches, locate, row
from geomem.kernels._tiles import widen
from geomem.kernels.member_norm.reference import wide


@triton.jit(do_not_specialize=["K", "M", "before"])
def norm_kernel(arrays, arrays_k, sizes, norms, K, M, before, N: tl.constexpr, BLOCK: tl.constexpr):
    program = tl.program_id(0)
    array, first_program, P = locate(sizes, K, program, N, BLOCK)
    own, blocks = program - first_program, tl.cdiv(P, BLOCK)
    k, start = (own // blocks).to(tl.int64), (own % blocks).to(tl.int64) * BLOCK
    i = tl.arange(0, BLOCK)
    at = row(arrays, arrays_k, array, k, start, N)
    x = widen(tl.load(at + i, mask=i < P - start, other=0.0), norms.dtype.element_ty)
    column = before + first_program // K + own % blocks
    tl.store(norms + k * M + column, tl.sqrt(tl.sum(x * x, 0)))


def run(arrays: list[Tensor]) -> Tensor:
    """Return norms on the device of the arrays, without waiting for it."""
    K = len(arrays[0])
    arrays = [t if t.shape[1] == 1 or t.stride(1) == 1 else t.contiguous() for t in arrays]
    launches = list(batches([t.shape[1] for t in arrays], [t.dtype for t in arrays]))
    columns = sum(batch.blocks for batch in launches)
    norms, before = arrays[0].new_empty(K, columns, dtype=wide(arrays[0].dtype)), 0
    with torch.cuda.device_of(norms):
        for batch in launches:
            tensors = tuple(arrays[place] for place in batch.places)
            norm_kernel[(K * batch.blocks,)](
                arrays=tensors, arrays_k=tuple(t.stride(0) for t in tensors), sizes=batch.sizes,
                norms=norms, K=K, M=norms.shape[1], before=before, N=len(tensors), **batch.options,
            )  # fmt: skip
            before += batch.blocks
    norm: Tensor = torch.linalg.vector_norm(norms, dim=1)
    return norm
