"""The in-weights task of a stack: tables of edge and path examples of one fixed graph."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geomem.models import Model
from geomem.train.config.run import RunConfig
from geomem.train.stack.batches import Batches, Part, gather_rows
from geomem.train.stack.evaluation import evaluate
from geomem.train.stack.members import Stage
from geomem.train.tasks.in_weights import build_tables
from geomem.train.tasks.padding import pad_tables


class InWeightsTask:
    """See `Task`; `tables` are on the stack's device.

    Members may have graphs of different sizes if their examples are of the same lengths; what is
    in canonical order of nodes, and what a pack holds, then is for one graph's members alone.
    """

    def __init__(self, runs: Sequence[RunConfig], device: torch.device) -> None:
        self._runs, self._device = runs, device
        graphs = groupby(runs, key=lambda run: run.graph)
        parts = [build_tables(list(members)) for _, members in graphs]
        self.tables = pad_tables(parts).to(device)
        self.vocab, self.context = self.tables.vocab, self.tables.context

    def known_tokens(self, vocab: int) -> Tensor | None:
        """See `Task.known_tokens`."""
        return self.tables.known_tokens(vocab)

    def enter(self, stage: Stage) -> None:
        """See `Task.enter`."""
        self._batches = Batches(self._runs, self.tables, stage, self._device)

    def prepare(self, step: int, count: int) -> None:
        """See `Task.prepare`."""
        self._batches.prepare(step, count)

    def parts(self, step: int | Tensor) -> list[Part]:
        """See `Task.parts`."""
        return self._batches.parts(step)

    def evaluate(self, model: Model, params: dict[str, Tensor]) -> dict[str, Tensor]:
        """See `evaluation.evaluate`."""
        return evaluate(model, params, self.tables)

    def embedding(self, table: Tensor) -> Tensor:
        """See `Task.embedding`: one row per node."""
        return gather_rows(table, self.tables.node_token)

    def tensors(self, params: dict[str, Tensor]) -> dict[str, Tensor]:
        """See `Task.tensors`."""
        special, found = self.tables.special_tokens, {}
        if special:
            found["special_embedding"] = params["embedding"][:, :special]
        for name in ("embedding", "unembedding"):
            if name in params:
                found[name] = self.embedding(params[name])
        if self.tables.paths is not None:
            found["held_out"] = self.tables.paths.held_out
        return found

    def labels(self) -> dict[str, Tensor]:
        """Return what a reader of the parameters needs beside them."""
        return {"node_token": self.tables.node_token}

    def shared(self) -> dict[str, NDArray[np.int64]]:
        """See `Task.shared`."""
        return {"edges": self.tables.graph.edges, **self.tables.graph.sets}

    def metadata(self) -> dict[str, Any]:
        """See `Task.metadata`."""
        names = self.tables.graph.names
        return {} if names is None else {"node_names": list(names)}
