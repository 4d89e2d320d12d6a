"""Prompts with a fresh, randomly labelled path-star each (Bachmann & Nagarajan 2024).

K members · B examples · n nodes · E edges · T tokens · L targets

A prompt reads `u v | u v | … | u v / root goal = [PAUSE]…`, its edges in random order; without
delimiters `u v u v … / root goal = [PAUSE]…`. Nodes count as in a canonical path-star, and the goal
is always the end of its first arm: the labels are drawn uniformly, so every arm looks like it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geomem.kernels.streams import permutations, stream_keys
from geomem.train.config.graph import PathStar
from geomem.train.config.task import InContext
from geomem.train.tasks.graphs import path_star
from geomem.train.tasks.prompts import label_count
from geomem.train.tasks.vocabulary import FIRST_NODE, Special


@dataclass(frozen=True)
class Examples:
    """tokens: int64 [K, B, T]; targets: int64 [K, B, L], predicted at the last L positions."""

    tokens: Tensor
    targets: Tensor


class Source:
    """Endless examples for each of K seeds; `purpose` tells streams apart.

    Example i of a seed is the same in every batch and beside every other seed.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        purpose: str,
        graph: PathStar,
        task: InContext,
        device: torch.device,
    ) -> None:
        self._task, self._nodes = task, graph.node_count
        self._labels = label_count(graph, task)
        star = path_star(graph)
        self._edges = torch.from_numpy(star.edges).to(device)
        path = torch.from_numpy(star.sets["arms"][0]).to(device)
        self._ends = path[[0, -1]]  # a list among the indices of a draw would wait for the device
        path = path[1:2] if task.target == "hardest_token" else path
        self._path = path.flip(0) if task.reverse_paths else path
        self._label_keys = stream_keys(seeds, f"{purpose} labels", device)
        self._order_keys = stream_keys(seeds, f"{purpose} edge order", device)

    def draw(self, first: int, count: int) -> Examples:
        """Return examples number first, ..., first + count - 1."""
        labels = permutations(self._label_keys, self._labels, first, count)
        node = labels[:, :, : self._nodes] + FIRST_NODE
        targets = node[:, :, self._path]
        return Examples(self._tokens(self._shuffled(node, first, count), node, targets), targets)

    def _shuffled(self, node: Tensor, first: int, count: int) -> Tensor:
        """The edges of a prompt in random order, [K, B, 2 or 3 times E]."""
        order = permutations(self._order_keys, len(self._edges), first, count)
        ends = self._edges[order].flatten(2)
        edges = node.gather(2, ends).view(*order.shape, 2)
        if self._task.delimiters:
            edges = torch.nn.functional.pad(edges, (0, 1), value=int(Special.DELIMITER))
            edges[:, :, -1, 2] = Special.PATH_SEPARATOR
        return edges.flatten(2)

    def _tokens(self, edges: Tensor, node: Tensor, targets: Tensor) -> Tensor:
        task, shape = self._task, node.shape[:2]

        def special(token: Special, count: int = 1) -> Tensor:
            return node.new_full((*shape, count), int(token))

        seen = targets[:, :, :-1]
        if task.teacherless:
            seen = torch.full_like(seen, Special.TEACHERLESS)
        parts = [
            edges,
            special(Special.PATH_SEPARATOR, int(not task.delimiters)),
            node[:, :, self._ends],
            special(Special.PATH),
            special(Special.PAUSE, task.pauses),
            seen,
        ]
        return torch.cat(parts, 2)
