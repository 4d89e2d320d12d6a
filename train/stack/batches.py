"""What one step reads and predicts: segments for the model, targets for the loss."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import torch
from torch import Tensor

from geomem.kernels import LinearCrossEntropy, Targets, linear_cross_entropy
from geomem.models import Dropout, Model, Segment, output_matrix
from geomem.train.config.run import RunConfig
from geomem.train.stack.members import Stage
from geomem.train.stack.sampling import EpochStreams
from geomem.train.tasks.in_weights import Tables


@dataclass(frozen=True)
class Part:
    """A segment with targets [K, B*L] of its L wanted tokens (L > 0), or several for each.

    A target -1 does not count.
    """

    segment: Segment
    targets: Tensor | Targets


def tensors_of(batches: Sequence[Sequence[Part]]) -> list[Tensor]:
    """Return every tensor of the parts, in a fixed order."""
    found: list[Tensor] = []
    for part in (part for parts in batches for part in parts):
        targets = part.targets if isinstance(part.targets, Targets) else (part.targets,)
        found += [getattr(part.segment, name) for name in _tensor_fields(part.segment)]
        found += targets
    return found


def _tensor_fields(segment: Segment) -> list[str]:
    return [f.name for f in fields(segment) if isinstance(getattr(segment, f.name), Tensor)]


def with_tensors(batches: Sequence[Sequence[Part]], tensors: Sequence[Tensor]) -> list[list[Part]]:
    """Return the parts with other tensors, in the order of `tensors_of`."""
    rest = iter(tensors)

    def rebuilt(part: Part) -> Part:
        own: dict[str, Any] = {name: next(rest) for name in _tensor_fields(part.segment)}
        segment = replace(part.segment, **own)
        if isinstance(part.targets, Targets):
            return Part(segment, Targets(next(rest), next(rest), next(rest)))
        return Part(segment, next(rest))

    return [[rebuilt(part) for part in parts] for parts in batches]


def gather_rows(table: Tensor, rows: Tensor) -> Tensor:
    """Rows [K, B] of a table [K, P, ...] -> [K, B, ...]; row -1 is the last one."""
    member = torch.arange(table.shape[0], device=table.device)[:, None]
    return table[member, rows]


def edge_part(tables: Tables, first: int = 0, last: int | None = None) -> Part:
    """Edge examples with equal prefixes computed once; rows [first, last) of the prefixes."""
    edges = tables.edges
    prefixes = edges.prefixes[:, first:last]
    begin = (edges.row < first).sum(1, keepdim=True)
    count = (edges.row < first + prefixes.shape[1]).sum(1, keepdim=True) - begin
    places = torch.arange(int(count.max()), device=count.device)
    valid = places < count
    at = (begin + places).clamp(max=edges.row.shape[1] - 1)
    row = (edges.row.gather(1, at) - first).masked_fill_(~valid, -1)
    token = edges.target.gather(1, at).masked_fill_(~valid, 0)
    segment = Segment(prefixes[:, :, None], tables.edge_tag, 1)
    return Part(segment, Targets(row, token, valid.float()))


def sampled_edge_part(tables: Tables, rows: Tensor) -> Part:
    """The edge examples of a step; rows: int64 [K, B]."""
    source, target = (t.gather(1, rows) for t in (tables.edges.source, tables.edges.target))
    return Part(Segment(source[:, :, None], tables.edge_tag, 1), target)


def path_part(tables: Tables, rows: Tensor) -> Part:
    """The path examples in rows [K, B] of the path table."""
    assert tables.paths is not None
    targets = gather_rows(tables.paths.targets, rows)
    tokens = gather_rows(tables.paths.tokens, rows)
    return Part(Segment(tokens, tables.path_tag, targets.shape[2]), targets.flatten(1))


class Batches:
    """The parts of every step of a stage."""

    def __init__(
        self, runs: Sequence[RunConfig], tables: Tables, stage: Stage, device: torch.device
    ) -> None:
        train, seeds = runs[0].train, [run.seed for run in runs]
        self._tables, self._stage = tables, stage
        self._edge_stream = self._path_stream = None
        if train.edge_batch != "all":
            sizes = (tables.edges.target >= 0).sum(1).tolist()
            self._edge_stream = EpochStreams(seeds, "edge order", sizes, train.edge_batch, device)
        else:
            self._all_edges = edge_part(tables)
        if tables.paths is not None and train.path_batch != "all":
            sizes = (tables.paths.train >= 0).sum(1).tolist()
            self._path_stream = EpochStreams(seeds, "path order", sizes, train.path_batch, device)
        elif tables.paths is not None:
            self._all_paths = path_part(tables, tables.paths.train)

    def prepare(self, step: int, count: int) -> None:
        """See `Task.prepare`."""
        for stream in (self._edge_stream, self._path_stream):
            if stream is not None:
                stream.prepare(step, count)

    def parts(self, step: int | Tensor) -> list[Part]:
        """Return the parts of a step, counted from the start of the stage."""
        found = []
        if "edges" in self._stage.examples:
            found.append(self._edges(step))
        if "paths" in self._stage.examples:
            found.append(self._paths(step))
        return found

    def _edges(self, step: int | Tensor) -> Part:
        if self._edge_stream is None:
            return self._all_edges
        return sampled_edge_part(self._tables, self._edge_stream.batch(step))

    def _paths(self, step: int | Tensor) -> Part:
        if self._path_stream is None:
            return self._all_paths
        assert self._tables.paths is not None
        rows = self._tables.paths.train.gather(1, self._path_stream.batch(step))
        return path_part(self._tables, rows)


def join_targets(parts: Sequence[Part]) -> Tensor | Targets:
    """Return the targets of all parts over one axis of rows, padding of lists at the end."""
    if len(parts) == 1:
        return parts[0].targets  # not a copy: what is the same in every step is prepared once
    if all(isinstance(part.targets, Tensor) for part in parts):
        return torch.cat([part.targets for part in parts if isinstance(part.targets, Tensor)], 1)
    lists, start = [], 0
    for part in parts:
        own = _as_list(part.targets)
        lists.append(own._replace(row=torch.where(own.row < 0, own.row, own.row + start)))
        start += part.segment.tokens.shape[1] * part.segment.wanted
    joined = Targets(*(torch.cat(columns, 1) for columns in zip(*lists, strict=True)))
    order = joined.row.masked_fill(joined.row < 0, start).argsort(dim=1, stable=True)
    return Targets(*(column.gather(1, order) for column in joined))


def _as_list(targets: Tensor | Targets) -> Targets:
    if isinstance(targets, Targets):
        return targets
    row = torch.arange(targets.shape[1], device=targets.device).expand_as(targets)
    missing, ones = targets < 0, torch.ones(targets.shape, device=targets.device)
    return Targets(row.masked_fill(missing, -1), targets.clamp(min=0), ones)


def predict(
    model: Model,
    params: dict[str, Tensor],
    parts: Sequence[Part],
    dropout: Dropout | None = None,
    metrics: bool | Literal["hits"] = False,
    products: torch.dtype | None = None,
    vocab_sizes: Tensor | None = None,
) -> LinearCrossEntropy:
    """Run the model over the parts and score their targets; rows follow the parts in order.

    metrics: as of the loss; products: type in which hidden states are scored; null for that which
    they have. vocab_sizes: int64 [K], how many tokens each member knows, if not all of the model's.
    """
    x = model.hidden(params, [part.segment for part in parts], dropout)
    targets = join_targets(parts)
    matrix = output_matrix(params)
    return linear_cross_entropy(
        x.to(products or x.dtype), matrix, targets, vocab_sizes=vocab_sizes, metrics=metrics
    )
