"""One fixed graph, to be memorised in the parameters (arXiv 2510.26745), as tables of tokens.

K members · n nodes · E edge examples · U nodes with an example · P paths · T tokens · L targets
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geomem.kernels.streams import permutation, stream_keys
from geomem.train.config.model import Node2Vec
from geomem.train.config.run import RunConfig
from geomem.train.config.task import InWeights, held_out_count
from geomem.train.tasks.edge_examples import edge_examples
from geomem.train.tasks.graphs import Graph, Ints, build_graph
from geomem.train.tasks.vocabulary import FIRST_NODE, Special


@dataclass(frozen=True)
class EdgeTable:
    """Edge examples u -> v. source, target: tokens, int64 [K, E].

    Equal sources stand together: the examples of row r are those whose `row` [K, E] is r, and
    prefixes [K, U] holds each source once. A member with fewer examples than others has padding
    at the end: target -1, row U.
    """

    source: Tensor
    target: Tensor
    row: Tensor
    prefixes: Tensor


@dataclass(frozen=True)
class PathTable:
    """Path examples. tokens: int64 [K, P, T], what the model reads behind the task token.

    targets: int64 [K, P, L], predicted at the last L positions of tokens; first_hop: which target
    is the first node after the root; train, held_out: int64 [K, ·], rows of the table, -1 for
    padding at the end: the last row then is padding too, with targets -1.
    """

    tokens: Tensor
    targets: Tensor
    first_hop: int
    train: Tensor
    held_out: Tensor


@dataclass(frozen=True)
class Tables:
    """All that the members of a stack learn from.

    graph: that of the first member, and of all unless the tables are padded; vocab_sizes: number
    of tokens of each member; node_token: int64 [K, n], the token of each node in canonical order;
    edge_tag, path_tag: int64 [K, 0 or 1], the task token in front of each kind of example.
    """

    graph: Graph
    vocab_sizes: tuple[int, ...]
    node_token: Tensor
    edges: EdgeTable
    paths: PathTable | None
    edge_tag: Tensor
    path_tag: Tensor

    @property
    def vocab(self) -> int:
        """Number of tokens of the largest vocabulary."""
        return max(self.vocab_sizes)

    @property
    def special_tokens(self) -> int:
        """Tokens in front of those of the nodes."""
        return self.vocab_sizes[0] - self.graph.n

    @property
    def context(self) -> int:
        """Longest sequence, task token included."""
        tag = self.edge_tag.shape[1]
        return tag + max(1, self.paths.tokens.shape[2] if self.paths else 1)

    def known_tokens(self, vocab: int) -> Tensor | None:
        """Return `vocab_sizes`, int64 [K], for a model of `vocab` tokens; None if all are known."""
        if all(size == vocab for size in self.vocab_sizes):
            return None
        return torch.tensor(self.vocab_sizes, device=self.node_token.device)

    def to(self, device: torch.device) -> "Tables":
        """Return the tables with every tensor on the device."""
        moved: Tables = _to(self, device)
        return moved


def _to(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if is_dataclass(value) and not isinstance(value, (type, Graph)):
        found = {f.name: _to(getattr(value, f.name), device) for f in fields(value)}
        return replace(value, **found)
    return value


def held_out_paths(graph: Graph, task: InWeights, seed: int) -> Ints:
    """Return the rows of graph.paths that are never trained on, ascending."""
    if graph.held_out is not None:
        return graph.held_out
    assert graph.branch is not None
    groups = graph.branch if task.split == "first_token" else np.arange(len(graph.branch))
    total = int(groups.max()) + 1
    order = permutation(stream_keys([seed], "split"), total)[0].numpy()
    chosen = np.isin(groups, order[: held_out_count(total, task.test_fraction)])
    return np.flatnonzero(chosen)


def _edge_table(graph: Graph, task: InWeights, node_token: Tensor) -> EdgeTable:
    edges = edge_examples(graph, task)
    sources, row = np.unique(edges[:, 0], return_inverse=True)
    source, target = (node_token[:, torch.from_numpy(edges[:, i].copy())] for i in (0, 1))
    rows = torch.from_numpy(row).expand(len(node_token), -1)
    return EdgeTable(source, target, rows, node_token[:, torch.from_numpy(sources)])


def _path_tokens(paths: Tensor, task: InWeights, targets: Tensor) -> Tensor:
    """[start node] leaf [PAUSE]… and all targets but the last, [K, P, T]."""
    K, P, _ = paths.shape
    pauses = paths.new_full((K, P, task.pauses), Special.PAUSE)
    seen = targets[:, :, :-1]
    if task.teacherless:
        seen = torch.full_like(seen, Special.TEACHERLESS)
    start = paths[:, :, :1] if task.start_node else paths[:, :, :0]
    return torch.cat([start, paths[:, :, -1:], pauses, seen], 2)


def _path_table(
    graph: Graph, task: InWeights, node_token: Tensor, seeds: Sequence[int]
) -> PathTable:
    assert graph.paths is not None
    paths = node_token[:, torch.from_numpy(graph.paths)]
    length = paths.shape[2]
    if task.target == "hardest_token":
        targets, first_hop = paths[:, :, 1:2], 0
    elif task.reverse_paths:
        targets, first_hop = paths.flip(2), length - 2
    else:
        targets, first_hop = paths, 1
    rows = np.arange(len(graph.paths))
    out = [held_out_paths(graph, task, seed) for seed in seeds]
    train = np.stack([np.setdiff1d(rows, held) for held in out])
    tokens = _path_tokens(paths, task, targets)
    held_out = torch.from_numpy(np.stack(out))
    return PathTable(tokens, targets.contiguous(), first_hop, torch.from_numpy(train), held_out)


def _tags(task: InWeights, token: Special, K: int) -> Tensor:
    return torch.full((K, int(task.task_token)), int(token))


def _node_tokens(runs: Sequence[RunConfig], n: int) -> tuple[int, Tensor]:
    """How many special tokens there are, and the token of each node, [K, n].

    Node2Vec has rows for nodes alone, in canonical order: labels would be names of rows.
    """
    if isinstance(runs[0].model, Node2Vec):
        return 0, torch.arange(n).repeat(len(runs), 1)
    labels = permutation(stream_keys([run.seed for run in runs], "labels"), n)
    return FIRST_NODE, FIRST_NODE + labels


def build_tables(runs: Sequence[RunConfig]) -> Tables:
    """Return the tables of a stack of runs that share graph and task, on the CPU."""
    task, config = runs[0].task, runs[0].graph
    assert isinstance(task, InWeights)
    assert config is not None
    graph = build_graph(config)
    seeds = [run.seed for run in runs]
    special, node_token = _node_tokens(runs, graph.n)
    with_paths = task.recipe != "edges_only"
    return Tables(
        graph=graph,
        vocab_sizes=(special + graph.n,) * len(runs),
        node_token=node_token,
        edges=_edge_table(graph, task, node_token),
        paths=_path_table(graph, task, node_token, seeds) if with_paths else None,
        edge_tag=_tags(task, Special.EDGE, len(runs)),
        path_tag=_tags(task, Special.PATH, len(runs)),
    )
