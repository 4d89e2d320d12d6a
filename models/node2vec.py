"""Node2Vec with the full softmax, climbed in closed form (arXiv 2510.26745).

K members · n nodes · D width · E edge examples · R rows of a block

With scores S = V₁V₂ᵀ (tied: V₁ = V₂ = V), P = row_softmax(S) with the self term, and W the
examples, a row of W sharing weight 1 among its targets:

    J = Σᵢ Σⱼ Wᵢⱼ log Pᵢⱼ          dJ/dS = G = W − P    (rows without examples: 0)
    untied: dJ/dV₁ = G V₂, dJ/dV₂ = Gᵀ V₁;  tied: dJ/dV = (G + Gᵀ) V = CV

With both directions of every edge W = D⁻¹A. Rows of P are made a block at a time and never kept;
a block serves G V₂ and Gᵀ V₁ alike.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from geomem.models.parameters import Parameter, output_matrix
from geomem.models.starts import Normal

BLOCK_ELEMENTS = 1 << 22  # of the scores that are held at a time


@dataclass(frozen=True)
class Neighbours:
    """The examples u → v as arrays that all members share, sorted by source, then target.

    source, target: int64 [E]; weight: [E], 1 / examples of the source; first: where the examples
    of each node begin, n + 1 numbers on the host; counted: [n], 1 for nodes with examples.
    """

    source: Tensor
    target: Tensor
    weight: Tensor
    first: list[int]
    counted: Tensor

    @staticmethod
    def of(source: Tensor, target: Tensor, n: int, dtype: torch.dtype) -> "Neighbours":
        """Build them from examples sorted by source."""
        count = torch.bincount(source, minlength=n)
        first = [0, *count.cumsum(0).tolist()]
        return Neighbours(source, target, 1 / count[source].to(dtype), first, count.clamp(max=1))


class Measures(NamedTuple):
    """Per member, [K]; a node's own score counts only if the node is its own neighbour.

    edge_loss: nats per edge example; edge_accuracy: share of examples that no other node outscores;
    edge_recovery: share of nodes whose neighbours outscore all other nodes, no tie allowed.
    """

    edge_loss: Tensor
    edge_accuracy: Tensor
    edge_recovery: Tensor


class _Block(NamedTuple):
    """Scores [k, R, n] of some members' rows; its examples: row, at (flat place in R n), weight."""

    members: slice
    rows: slice
    scores: Tensor
    row: Tensor
    at: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Node2Vec:
    """Structure of the stack: one table, or one for either side of the score."""

    nodes: int
    width: int
    tie: bool
    dtype: torch.dtype

    def parameters(self) -> dict[str, Parameter]:
        """See `Parametric.parameters`."""
        shape = (self.nodes, self.width)
        table = Parameter(shape, Normal("token_std"), dtype=self.dtype)
        return {"embedding": table} if self.tie else {"embedding": table, "unembedding": table}

    def ascent(
        self, params: Mapping[str, Tensor], graph: Neighbours, into: Mapping[str, Tensor]
    ) -> Tensor:
        """Fill `into` with the gradient of J; return −J per node with examples, [K]."""
        left, right = params["embedding"], output_matrix(params)
        to_left, to_right = into["embedding"], into.get("unembedding", into["embedding"])
        loss = left.new_zeros(len(left))
        for table in into.values():
            table.zero_()
        for k, rows, scores, row, at, weight in self._blocks(params, graph):
            lse = scores.logsumexp(2)
            own = scores.flatten(1)[:, at]
            loss[k] += ((lse[:, row] - own) * weight).sum(1)
            G = scores.sub_(lse[:, :, None]).exp_().mul_(-graph.counted[rows, None])
            G.flatten(1)[:, at] += weight
            to_left[k, rows] += G @ right[k]
            to_right[k] += G.transpose(1, 2) @ left[k, rows]
        return loss / graph.counted.sum()

    def measure(self, params: Mapping[str, Tensor], graph: Neighbours) -> Measures:
        """Return how well the examples are known."""
        left = params["embedding"]
        loss, hits, recovered = (left.new_zeros(len(left)) for _ in range(3))
        for k, rows, scores, row, at, _ in self._blocks(params, graph):
            own = scores.flatten(1)[:, at]
            loss[k] += (scores.logsumexp(2)[:, row] - own).sum(1)
            # Of what is left the highest: of nodes that are no neighbours, nor the node itself.
            scores.flatten(1)[:, at] = -torch.inf
            self._own_scores(scores, rows).fill_(-torch.inf)
            others = scores.amax(2)
            index = row.expand(len(own), -1)
            lowest = others.new_full(others.shape, torch.inf)
            lowest.scatter_reduce_(1, index, own, "amin")
            highest = others.scatter_reduce(1, index, own, "amax")
            hits[k] += (own == highest[:, row]).sum(1)
            recovered[k] += ((lowest > others) & (graph.counted[rows] > 0)).sum(1)
        E, counted = len(graph.source), graph.counted.sum()
        return Measures(loss / E, hits / E, recovered / counted)

    def _own_scores(self, scores: Tensor, rows: slice) -> Tensor:
        return scores.diagonal(rows.start, 1, 2)[:, : rows.stop - rows.start]

    def _blocks(self, params: Mapping[str, Tensor], graph: Neighbours) -> Iterator[_Block]:
        """Blocks of rows that depend on n alone, so that no member's sums depend on the others."""
        left, right = params["embedding"], output_matrix(params)
        K, n, _ = left.shape
        R = min(n, max(1, BLOCK_ELEMENTS // n))
        together = max(1, BLOCK_ELEMENTS // (R * n))
        for start in range(0, K, together):
            k = slice(start, min(K, start + together))
            for top in range(0, n, R):
                rows = slice(top, min(n, top + R))
                examples = slice(graph.first[rows.start], graph.first[rows.stop])
                row = graph.source[examples] - top
                at = row * n + graph.target[examples]
                scores = left[k, rows] @ right[k].transpose(1, 2)
                yield _Block(k, rows, scores, row, at, graph.weight[examples])
