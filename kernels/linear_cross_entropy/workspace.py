"""How rows and members are divided so that the gradient of their logits fits a budget of bytes."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from geomem.kernels.linear_cross_entropy.problem import acc_dtype

BUDGET = 128 << 20  # bytes of workspace, unless the floor needs more
FLOOR = 2048  # rows of a member at a time: fewer would read and write the embedding too often
BLOCK = 128  # chunks begin at multiples of every tile's rows
LINE = 64  # elements to which rows of a workspace are padded


class Chunk(NamedTuple):
    """Members [k, k_end) and their rows [n, n_end)."""

    k: int
    k_end: int
    n: int
    n_end: int


def division(
    K: int, N: int, row_size: int, budget: int, floor: int = 1, block: int = 1
) -> tuple[int, int]:
    """Return (members, rows) to hold at a time, in `budget` of whatever row_size is measured in.

    All rows of a member go first, then further members: what is read once per chunk belongs to a
    member. Rows are a multiple of block, or all, and never fewer than floor, whatever that takes.
    """
    rows = min(N, max(floor, budget // row_size // block * block))
    return max(1, min(K, budget // (rows * row_size))), rows


def divided(K: int, N: int, members: int, rows: int) -> Iterator[Chunk]:
    """All rows of all members, the rows of a group of members one chunk after the other."""
    for k in range(0, K, members):
        for n in range(0, N, rows):
            yield Chunk(k, min(K, k + members), n, min(N, n + rows))


def chunks(K: int, N: int, row_bytes: int) -> Iterator[Chunk]:
    """Divide rows whose workspace on a GPU takes row_bytes each."""
    return divided(K, N, *division(K, N, row_bytes, BUDGET, FLOOR, BLOCK))


def padded(V: int) -> int:
    """Row length of a workspace whose rows begin on whole cache lines."""
    return -(-V // LINE) * LINE


def product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b for batches, accumulated and returned in float (double for doubles).

    Products of floats obey PyTorch's setting, which keeps them out of TF32 unless told otherwise.
    """
    if a.is_cuda and a.dtype == torch.bfloat16:
        result: Tensor = torch.ops.aten.bmm.dtype(a, b, torch.float32)
        return result
    acc = acc_dtype(a.dtype)
    return torch.bmm(a.to(acc), b.to(acc))


def add_product(out: Tensor, a: Tensor, b: Tensor, first: bool) -> None:
    """Add a @ b for batches to out, float or double, which holds nothing yet if first."""
    beta = 0.0 if first else 1.0
    if a.is_cuda and a.dtype == torch.bfloat16:
        torch.ops.aten.baddbmm.dtype_out(out, a, b, torch.float32, beta=beta, out=out)
    else:
        torch.baddbmm(out, a.to(out.dtype), b.to(out.dtype), beta=beta, out=out)
