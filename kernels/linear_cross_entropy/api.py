"""Public entry of the fused loss: validation and dispatch."""

from typing import NamedTuple

from torch import Tensor

from geomem.kernels.choice import choose


class Targets(NamedTuple):
    """Several weighted targets per row, as a sorted list of entries.

    row: int64 [K, M], the row n of each entry, ascending, -1 for padding at the end;
    token: int64 [K, M], no token twice in a row; weight: float [K, M].
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


def _check(x: Tensor, embedding: Tensor, targets: Tensor | Targets) -> None:
    if x.dim() != 3 or embedding.dim() != 3:
        raise ValueError(
            f"linear_cross_entropy: expected x [K,N,D] and embedding [K,V,D], "
            f"got {tuple(x.shape)} and {tuple(embedding.shape)}"
        )
    if x.shape[0] != embedding.shape[0] or x.shape[2] != embedding.shape[2]:
        raise ValueError(
            f"linear_cross_entropy: x {tuple(x.shape)} and embedding {tuple(embedding.shape)} "
            "differ in K or D"
        )
    if isinstance(targets, Tensor) and targets.shape != x.shape[:2]:
        raise ValueError(
            f"linear_cross_entropy: targets {tuple(targets.shape)} should be {tuple(x.shape[:2])}"
        )


def linear_cross_entropy(
    x: Tensor,
    embedding: Tensor,
    targets: Tensor | Targets,
    *,
    row_weights: Tensor | None = None,
    vocab_sizes: Tensor | None = None,
    metrics: bool = False,
    impl: str = "auto",
) -> LinearCrossEntropy:
    """Cross-entropy of hidden states against an embedding matrix, per member.

    Equals, for each member k, `F.cross_entropy(x[k] @ embedding[k].T, targets[k])` with its mean
    over the rows that have a target, without holding the logits of all rows.

    x: [K, N, D]; embedding: [K, V, D] of the same dtype; targets: int64 [K, N] with -1 for rows
    that do not count, or `Targets` (the loss is then the weighted mean over entries).
    row_weights: [K, N], multiplies the loss of a row, in sum and in mean; vocab_sizes: int64 [K],
    tokens at or past a member's size are masked; metrics: fill argmax, rank and ties.
    Gradients go to x and embedding through `loss`; the other results are detached.
    Raises ValueError for shapes that do not fit and for an unknown impl.
    """
    from geomem.kernels.linear_cross_entropy import reference

    _check(x, embedding, targets)
    implementations = {"reference": reference.linear_cross_entropy}
    _, run = choose("linear_cross_entropy", implementations, impl, auto="reference")
    if row_weights is None:
        row_weights = x.new_ones(x.shape[:2])
    return run(x, embedding, targets, row_weights, vocab_sizes, metrics)
