"""How rows and members are divided so that the gradient of their logits fits a budget of bytes.

On a GPU a chunk of r rows writes its gradient P once and reads it twice, 2 bytes per logit each
time; the embedding is read twice, 2 D / r bytes per logit each time, and its gradient read and
written, 8 D / r. By arithmetic (790 TFLOP/s, 4.3 TB/s: an H200), each of the three products as
slow as the slower of its flops and its bytes, in units of all rows at once and whatever V is:

    r          192    256    384    512    768   1024   1408   2048
    D = 128   2.33   2.00   1.67   1.50   1.33   1.25   1.18   1.12
    D = 384   2.39   1.91   1.46   1.30   1.15   1.07   1.00   1.00
    D = 784   2.15   1.70   1.38   1.22   1.06   1.00   1.00   1.00

The workspace is to stay below 5 % of the logits, which is 819 of 16 384 rows. SHARE keeps to that
and leaves room for sums over tiles and for a product. FLOOR goes above it where a member has fewer
rows: of 4096 rows 5 % are 204, which would take twice as long. LEAST goes above it where all
logits are few: about eight launches per chunk take 16 us, which are 11 % of a chunk of 96 MiB at
D = 384 and would be 31 % of one of 32 MiB.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from geomem.kernels.linear_cross_entropy.problem import acc_dtype

SHARE = 0.0465  # of the logits
LEAST = 96 << 20  # bytes
FLOOR = 768  # rows of a member
BLOCK = 128  # chunks begin at multiples of every tile's rows
LINE = 64  # elements to which rows of a workspace are padded
VECTOR = 64  # elements; a multiple of what any processor takes at a time
CPU_LOGITS = 1 << 20  # held at a time, or CPU_ROWS rows
CPU_ROWS = 64  # of a chunk, or a multiple: 52 take 1.3 times as long, their maxima ten times


class Logits(NamedTuple):
    """logits: a view [K, N, V]; padded: the memory behind it, flat, in whole vectors.

    PyTorch's exp2 rounds otherwise in the scalar rest of a tensor. Without one, the bits of a
    member do not depend on its place in a stack (on one thread).
    """

    logits: Tensor
    padded: Tensor

    def places(self) -> Tensor:
        """The memory of each member, [K, N * V], in the order of its strides."""
        K, N, V = self.logits.shape
        return self.padded[: K * N * V].view(K, N * V)


def logits_buffer(x: Tensor, K: int, N: int, V: int) -> Logits:
    """Allocate logits of x's dtype, the rows of a token side by side.

    Of a large vocabulary and few rows the scores then take half the time on a CPU, and the gradient
    of x a quarter more; all three products together take less.
    """
    size = K * N * V
    padded = x.new_empty(size + -size % VECTOR)
    return Logits(padded.as_strided((K, N, V), (N * V, 1, N)), padded)


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
    member. Rows are a multiple of block, or all, and never fewer than floor, whatever that takes,
    unless so few as an even share: a short last chunk reads what is read per chunk for little.
    """
    rows = min(N, max(floor, budget // row_size // block * block))
    share = -(-N // -(-N // rows))
    rows = min(rows, -(-share // block) * block)
    return max(1, min(K, budget // (rows * row_size))), rows


def divided(K: int, N: int, members: int, rows: int) -> Iterator[Chunk]:
    """All rows of all members, the rows of a group of members one chunk after the other."""
    for k in range(0, K, members):
        for n in range(0, N, rows):
            yield Chunk(k, min(K, k + members), n, min(N, n + rows))


def chunks(K: int, N: int, row_bytes: int) -> Iterator[Chunk]:
    """Divide rows whose workspace on a GPU takes row_bytes each."""
    budget = max(LEAST, int(SHARE * K * N * row_bytes))
    return divided(K, N, *division(K, N, row_bytes, budget, FLOOR, BLOCK))


def cpu_division(K: int, N: int, V: int) -> tuple[int, int]:
    """Return (members, rows) whose logits are held at a time on a CPU."""
    return division(K, N, V, CPU_LOGITS, CPU_ROWS, CPU_ROWS)


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
