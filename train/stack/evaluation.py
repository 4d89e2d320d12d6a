"""Measures of a stack from one teacher-forced pass over all edges and all paths.

Under greedy decoding a path is right if and only if every teacher-forced argmax on it is right,
so nothing has to be decoded.
"""

import torch
from torch import Tensor

from geomem.models import Model
from geomem.train.stack.batches import edge_part, path_part, predict
from geomem.train.tasks.in_weights import Tables

CHUNK_ELEMENTS = 1 << 22  # K * rows * width of the hidden states of one pass


@torch.no_grad()
def evaluate(model: Model, params: dict[str, Tensor], tables: Tables) -> dict[str, Tensor]:
    """Return the measures of every member, float32 [K] ([K, L] for target_accuracy).

    edge_loss: nats per edge example; edge_accuracy: share of edge examples that are the argmax;
    edge_recovery: share of nodes whose neighbours are the top-scoring tokens, no tie allowed. With
    paths, on the held-out ones: path_loss (nats per target), exact_match, first_hop,
    target_accuracy; on the trained ones: train_exact_match.
    """
    found = _evaluate_edges(model, params, tables)
    if tables.paths is not None:
        found |= _evaluate_paths(model, params, tables)
    return found


def _chunk(params: dict[str, Tensor], tokens: int) -> int:
    K, _, D = params["embedding"].shape
    return max(1, CHUNK_ELEMENTS // (K * D * tokens))


def _evaluate_edges(model: Model, params: dict[str, Tensor], tables: Tables) -> dict[str, Tensor]:
    prefixes, examples = tables.edges.prefixes.shape[1], tables.edges.source.shape[1]
    step = _chunk(params, 1)
    sums: list[Tensor] = []
    for first in range(0, prefixes, step):
        part = edge_part(tables, first, first + step)
        result = predict(model, params, [part], metrics=True)
        assert not isinstance(part.targets, Tensor)
        hits = result.argmax.gather(1, part.targets.row) == part.targets.token
        recovered = (result.rank == 0) & (result.ties == 0)
        sums.append(torch.stack([result.row_loss.sum(1), hits.sum(1), recovered.sum(1)]))
    loss, hits, recovered = torch.stack(sums).sum(0).float()
    return {
        "edge_loss": loss / examples,
        "edge_accuracy": hits / examples,
        "edge_recovery": recovered / prefixes,
    }


def _evaluate_paths(model: Model, params: dict[str, Tensor], tables: Tables) -> dict[str, Tensor]:
    paths = tables.paths
    assert paths is not None
    K, P, length = paths.targets.shape
    step = _chunk(params, paths.tokens.shape[2] + 1)
    rights, losses = [], []
    for first in range(0, P, step):
        rows = torch.arange(first, min(P, first + step), device=paths.tokens.device)
        part = path_part(tables, rows.expand(K, -1))
        result = predict(model, params, [part], metrics=True)
        assert isinstance(part.targets, Tensor)
        rights.append(result.argmax.eq(part.targets).view(K, -1, length))
        losses.append(result.row_loss.view(K, -1, length))
    right, loss = torch.cat(rights, 1), torch.cat(losses, 1)
    member = torch.arange(K, device=right.device)[:, None]
    held_out = right[member, paths.held_out]
    return {
        "path_loss": loss[member, paths.held_out].mean((1, 2)).float(),
        "exact_match": held_out.all(2).float().mean(1),
        "first_hop": held_out[:, :, paths.first_hop].float().mean(1),
        "target_accuracy": held_out.float().mean(1),
        "train_exact_match": right[member, paths.train].all(2).float().mean(1),
    }
