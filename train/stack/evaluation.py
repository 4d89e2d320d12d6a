"""Measures of a stack from one teacher-forced pass over all edges and all paths.

Under greedy decoding a path is right if and only if every teacher-forced argmax on it is right,
so nothing has to be decoded.
"""

import torch
from torch import Tensor

from geomem.models import Model, output_matrix
from geomem.train.stack.batches import edge_part, gather_rows, path_part, predict
from geomem.train.tasks.in_weights import Tables

# K * rows * width of the hidden states of one pass: what a cache holds, or what keeps a GPU busy.
CHUNK_ELEMENTS = {"cpu": 1 << 22, "cuda": 1 << 26}


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


def chunk_rows(params: dict[str, Tensor], tokens: int) -> int:
    """How many rows of so many tokens one pass takes of every member."""
    K, _, D = params["embedding"].shape
    return max(1, CHUNK_ELEMENTS[params["embedding"].device.type] // (K * D * tokens))


def _evaluate_edges(model: Model, params: dict[str, Tensor], tables: Tables) -> dict[str, Tensor]:
    step, known = chunk_rows(params, 1), _vocab_sizes(params, tables)
    sums: list[Tensor] = []
    for first in range(0, tables.edges.prefixes.shape[1], step):
        part = edge_part(tables, first, first + step)
        result = predict(model, params, [part], metrics="hits", vocab_sizes=known)
        assert not isinstance(part.targets, Tensor)
        row, token, _ = part.targets
        hits = (result.argmax.gather(1, row.clamp(min=0)) == token) & (row >= 0)
        recovered = (result.rank == 0) & (result.ties == 0)
        counts = [t.sum(1) for t in (hits, recovered, row >= 0, result.rank >= 0)]
        sums.append(torch.stack([result.row_loss.sum(1), *counts]))
    loss, hits, recovered, examples, prefixes = torch.stack(sums).sum(0).float()
    return {
        "edge_loss": loss / examples,
        "edge_accuracy": hits / examples,
        "edge_recovery": recovered / prefixes,
    }


def _evaluate_paths(model: Model, params: dict[str, Tensor], tables: Tables) -> dict[str, Tensor]:
    paths = tables.paths
    assert paths is not None
    K, P, length = paths.targets.shape
    step, known = chunk_rows(params, paths.tokens.shape[2] + 1), _vocab_sizes(params, tables)
    rights, losses = [], []
    for first in range(0, P, step):
        rows = torch.arange(first, min(P, first + step), device=paths.tokens.device)
        part = path_part(tables, rows.expand(K, -1))
        result = predict(model, params, [part], metrics="hits", vocab_sizes=known)
        assert isinstance(part.targets, Tensor)
        right = result.argmax.eq(part.targets) & (part.targets >= 0)  # of no target it may be -1
        rights.append(right.view(K, -1, length))
        losses.append(result.row_loss.view(K, -1, length))
    right, loss = torch.cat(rights, 1), torch.cat(losses, 1)
    held_out = gather_rows(right, paths.held_out)
    target_accuracy = _mean(held_out, paths.held_out)
    return {
        "path_loss": _mean(gather_rows(loss, paths.held_out).mean(2), paths.held_out),
        "exact_match": _mean(held_out.all(2), paths.held_out),
        "first_hop": target_accuracy[:, paths.first_hop],
        "target_accuracy": target_accuracy,
        "train_exact_match": _mean(gather_rows(right, paths.train).all(2), paths.train),
    }


def _mean(values: Tensor, rows: Tensor) -> Tensor:
    """Mean of values [K, B, ...] over the rows [K, B] that are no padding; there it is 0."""
    count = (rows >= 0).sum(1).view(-1, *[1] * (values.dim() - 2))
    return (values.float().sum(1) / count).float()


def _vocab_sizes(params: dict[str, Tensor], tables: Tables) -> Tensor | None:
    return tables.known_tokens(output_matrix(params).shape[1])
