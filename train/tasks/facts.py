"""Facts: random bijections of subjects to attributes, as queries (arXiv 2605.12426).

K members · N subjects · R relations · Q = N R^hops queries · B queries of a batch · A attributes

Tokens are the N subjects, then the R relations; where attributes are no subjects, they follow.
Query q is made of subject q mod N and, in units of N, of the relations of its hops as digits in
base R, the first hop's the lowest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geomem.kernels.streams import permutation, permutations, stream_keys
from geomem.train.config.task import Facts


@dataclass(frozen=True)
class Queries:
    """tokens: int64 [K, B, 1 + hops], subject and relations; answers: [K, B, hops], attributes."""

    tokens: Tensor
    answers: Tensor


@dataclass(frozen=True)
class FactTable:
    """What is true. answers: int64 [K, R, N], the attribute of each fact, counted from 0.

    train, held_out: int64 [K, ·], queries of the training and of the test, ascending; None where
    all of them are trained on.
    """

    task: Facts
    answers: Tensor
    train: Tensor | None
    held_out: Tensor | None

    def queries(self, which: Tensor) -> Queries:
        """Return queries [K, B] as tokens, with the answer of every hop."""
        task, known = self.task, self.answers.flatten(1)
        subject, rest = which % task.subjects, which // task.subjects
        tokens, answers, at = [subject], [], subject
        for _ in range(task.hops):
            relation = rest % task.relations
            rest = rest // task.relations
            at = known.gather(1, relation * task.subjects + at)
            tokens.append(task.subjects + relation)
            answers.append(at)
        return Queries(torch.stack(tokens, 2), torch.stack(answers, 2))


def build_facts(task: Facts, seeds: Sequence[int], device: torch.device) -> FactTable:
    """Draw the bijections of each seed, and which queries are held out."""
    N, R = task.subjects, task.relations
    answers = permutations(stream_keys(seeds, "facts", device), N, 0, R)
    if task.attributes == "disjoint":
        answers = answers + N * torch.arange(R, device=device)[:, None]
    if not task.test_fraction:
        return FactTable(task, answers, None, None)
    order = permutation(stream_keys(seeds, "split", device), task.query_count)
    count = task.test_count
    return FactTable(
        task, answers, order[:, count:].sort(1).values, order[:, :count].sort(1).values
    )
