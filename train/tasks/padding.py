"""Tables of graphs of different sizes, padded to those of one stack.

Every member finds its own examples at the places that they have in its own tables.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from geomem.train.tasks.in_weights import EdgeTable, PathTable, Tables


def pad_tables(parts: Sequence[Tables]) -> Tables:
    """Return the members of all parts, in order, in the tables of one stack.

    The parts' examples are of the same lengths. Tokens of padding are 0, which all members know.
    """
    if len(parts) == 1:
        return parts[0]
    paths = [part.paths for part in parts if part.paths is not None]
    return Tables(
        graph=parts[0].graph,
        vocab_sizes=sum((part.vocab_sizes for part in parts), ()),
        node_token=_together([part.node_token for part in parts]),
        edges=_pad_edges([part.edges for part in parts]),
        paths=_pad_paths(paths) if paths else None,
        edge_tag=torch.cat([part.edge_tag for part in parts]),
        path_tag=torch.cat([part.path_tag for part in parts]),
    )


def _together(tensors: Sequence[Tensor], value: int = 0, rows: int = 0) -> Tensor:
    """[k, n, ...] of every part -> [K, N, ...] with the largest n, `rows` at least."""
    size = max(rows, *(t.shape[1] for t in tensors))
    return torch.cat(
        [pad(t, (0, 0) * (t.dim() - 2) + (0, size - t.shape[1]), value=value) for t in tensors]
    )


def _pad_edges(parts: Sequence[EdgeTable]) -> EdgeTable:
    prefixes = _together([part.prefixes for part in parts])
    return EdgeTable(
        source=_together([part.source for part in parts]),
        target=_together([part.target for part in parts], -1),
        row=_together([part.row for part in parts], prefixes.shape[1]),
        prefixes=prefixes,
    )


def _pad_paths(parts: Sequence[PathTable]) -> PathTable:
    rows = 1 + max(part.targets.shape[1] for part in parts)
    return PathTable(
        tokens=_together([part.tokens for part in parts], rows=rows),
        targets=_together([part.targets for part in parts], -1, rows),
        first_hop=parts[0].first_hop,
        train=_together([part.train for part in parts], -1),
        held_out=_together([part.held_out for part in parts], -1),
    )
