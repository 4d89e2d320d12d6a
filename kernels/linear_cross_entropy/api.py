"""Public entry of the fused loss: validation and dispatch."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from geomem.kernels.choice import INTERPRETED, choose, runs_triton
from geomem.kernels.linear_cross_entropy import dense, op
from geomem.kernels.linear_cross_entropy.problem import Problem


class Targets(NamedTuple):
    """Several weighted targets per row, as a sorted list of entries.

    row: int64 [K, M], the row n of each entry, ascending, -1 for padding at the end alone;
    token: int64 [K, M], no token twice in a row; weight: float [K, M], not negative.
    """

    row: Tensor
    token: Tensor
    weight: Tensor


class LinearCrossEntropy(NamedTuple):
    """loss [K]; row_loss, lse [K, N] float; argmax, rank, ties [K, N] int64.

    rank counts the tokens other than the row's targets that score higher than its worst target,
    ties those that score the same: a row's targets are its top scores if both are 0. Rows without
    a target have row_loss 0 and rank -1. argmax, rank and ties are -1 throughout unless asked for.
    """

    loss: Tensor
    row_loss: Tensor
    lse: Tensor
    argmax: Tensor
    rank: Tensor
    ties: Tensor


def _check(problem: Problem) -> None:
    x, embedding = problem.x, problem.embedding
    if x.dim() != 3 or embedding.dim() != 3:
        raise ValueError(
            f"linear_cross_entropy: expected x [K,N,D] and embedding [K,V,D], "
            f"got {tuple(x.shape)} and {tuple(embedding.shape)}"
        )
    K, N, D = x.shape
    if (embedding.shape[0], embedding.shape[2]) != (K, D):
        raise ValueError(
            f"linear_cross_entropy: x {tuple(x.shape)} and embedding {tuple(embedding.shape)} "
            "differ in K or D"
        )
    mixed = x.dtype in (torch.bfloat16, torch.float16) and embedding.dtype == torch.float32
    if not x.is_floating_point() or (x.dtype != embedding.dtype and not mixed):
        raise ValueError(
            f"linear_cross_entropy: expected x and embedding of one float dtype, or half and "
            f"float32, got {x.dtype} and {embedding.dtype}"
        )
    _check_shape("row_weights", problem.row_weights, (K, N))
    _check_shape("vocab_sizes", problem.vocab_sizes, (K,))
    if problem.row is None:
        _check_shape("targets", problem.token, (K, N))
    elif not problem.row.shape == problem.token.shape == getattr(problem.weight, "shape", None):
        raise ValueError("linear_cross_entropy: row, token, weight should be of one shape [K, M]")


def _check_shape(name: str, t: Tensor | None, shape: tuple[int, ...]) -> None:
    if t is not None and tuple(t.shape) != shape:
        raise ValueError(f"linear_cross_entropy: {name} {tuple(t.shape)} should be {shape}")


def implementation(impl: str, device_type: str, dtype: torch.dtype) -> str:
    """Name of the implementation that `impl` stands for; dtype is that of x.

    Triton has bfloat16 and float32, and float64 under its interpreter. Raises ValueError with the
    alternatives for one that cannot run here.
    """
    known, auto = {"reference": "reference", "dense": "dense"}, "reference"
    if device_type == "cpu":
        known["eager"] = auto = "eager"
    kernels = (torch.bfloat16, torch.float32, *((torch.float64,) if INTERPRETED else ()))
    if runs_triton(device_type) and dtype in kernels:
        known["triton"] = "triton"
        auto = auto if INTERPRETED else "triton"
    return choose("linear_cross_entropy", known, impl, auto=auto)[0]


def linear_cross_entropy(
    x: Tensor,
    embedding: Tensor,
    targets: Tensor | Targets,
    *,
    row_weights: Tensor | None = None,
    vocab_sizes: Tensor | None = None,
    metrics: bool | Literal["hits"] = False,
    impl: str = "auto",
) -> LinearCrossEntropy:
    """Cross-entropy of hidden states against an embedding matrix, per member.

    Equals, for each member k, `F.cross_entropy(x[k] @ embedding[k].T, targets[k])` with its mean
    over the rows that have a target, without holding the logits of all rows.

    x: [K, N, D]; embedding: [K, V, D] of the same dtype, or float32 beside a half x: products are
    then taken in x's dtype, and the gradient of the embedding stays float32. targets: int64 [K, N]
    with -1 for rows that do not count, or `Targets` (the loss is then the weighted mean over
    entries). row_weights: [K, N], multiplies the loss of a row, in sum and in mean; vocab_sizes:
    int64 [K], tokens at or past a member's size are masked; metrics: fill argmax, rank and
    ties, or with "hits" only so far that one sees whether argmax is a target, and whether both rank
    and ties are 0: argmax may then be -1 where it is none, rank 1 for any above 0 or for a tie.
    On a CPU that takes half the time while targets are not the best.
    Sums are taken in float32 (float64 for float64). Gradients go to x and embedding through
    `loss`; the other results are detached, and there are no second derivatives.
    impl: "reference"; "eager", fast on a CPU (metrics, and lists with more than eight targets in
    a row, it takes from the reference); "dense", open to torch.compile, holding all logits
    (metrics it takes from the reference); "triton" (CUDA tensors, or CPU tensors under Triton's
    interpreter); or "auto": Triton for CUDA tensors of bfloat16 or float32 where it is installed,
    eager on a CPU, or dense there if a function with few logits is compiled, else the reference.
    Raises ValueError for shapes and dtypes that do not fit and for an impl that cannot run here.
    Source: the target column is kept out of the row's sum, and exponentials are stored beside one
    centre per row, so that a softmax needs no second pass (compare Milakov, Gimelshein, "Online
    normalizer calculation for softmax", 2018).
    """
    row, token, weight = targets if isinstance(targets, Targets) else (None, targets, None)
    want_dx, want_de = (torch.is_grad_enabled() and t.requires_grad for t in (x, embedding))
    wants = (bool(metrics), metrics == "hits", want_dx, want_de)
    problem = Problem(x, embedding, row, token, weight, row_weights, vocab_sizes, *wants)
    _check(problem)
    if impl == "auto" and torch.compiler.is_compiling() and x.device.type == "cpu":
        few = x.shape[0] * x.shape[1] * embedding.shape[1] <= dense.MOST_LOGITS
        impl = "dense" if few and not metrics else impl
    name = implementation(impl, x.device.type, x.dtype)
    return LinearCrossEntropy(*op.call(problem, name)[:6])
