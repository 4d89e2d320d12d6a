"""The in-context task of a stack: fresh prompts for every step, drawn on the stack's device."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geomem.models import Model, Segment
from geomem.train.config.graph import PathStar
from geomem.train.config.run import RunConfig
from geomem.train.config.task import InContext
from geomem.train.stack.batches import Part, predict
from geomem.train.stack.members import Stage
from geomem.train.stack.sampling import Ring
from geomem.train.tasks.ahead import AT_ONCE
from geomem.train.tasks.in_context import Examples, Source
from geomem.train.tasks.prompts import context_length, first_hop_at, label_count, target_count
from geomem.train.tasks.vocabulary import FIRST_NODE


class InContextTask:
    """See `Task`."""

    def __init__(self, runs: Sequence[RunConfig], device: torch.device) -> None:
        graph, task, batch = runs[0].graph, runs[0].task, runs[0].train.path_batch
        assert isinstance(graph, PathStar)
        assert isinstance(task, InContext)
        assert batch != "all"
        seeds = [run.seed for run in runs]
        self._batch, self._tests = batch, task.test_examples
        self._training = Source(seeds, "training", graph, task, device)
        self._drawn = Ring(self._block, AT_ONCE * batch, batch, device)
        self._test = Source(seeds, "test", graph, task, device)
        self._first_hop = first_hop_at(graph, task)
        self._no_prefix = torch.zeros(len(runs), 0, dtype=torch.int64, device=device)
        self.vocab = FIRST_NODE + label_count(graph, task)
        self.context, self._targets = context_length(graph, task), target_count(graph, task)

    def _block(self, number: int) -> Tensor:
        """Examples of AT_ONCE steps, so that few kernels are started for each: [K, ., T + L]."""
        many = AT_ONCE * self._batch
        drawn = self._training.draw(number * many, many)
        return torch.cat([drawn.tokens, drawn.targets], 2)

    def known_tokens(self, vocab: int) -> Tensor | None:
        """See `Task.known_tokens`."""

    def enter(self, stage: Stage) -> None:
        """See `Task.enter`; every step draws anew."""

    def prepare(self, step: int, count: int) -> None:
        """See `Task.prepare`."""
        self._drawn.prepare(step, count)

    def parts(self, step: int | Tensor) -> list[Part]:
        """See `Task.parts`."""
        tokens, targets = self._drawn.batch(step).split([self.context, self._targets], 2)
        return [self._part(Examples(tokens, targets))]

    def _part(self, examples: Examples) -> Part:
        segment = Segment(examples.tokens, self._no_prefix, examples.targets.shape[2])
        return Part(segment, examples.targets.flatten(1))

    @torch.no_grad()
    def evaluate(self, model: Model, params: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the measures of the test examples, float32 [K] ([K, L] for target_accuracy).

        path_loss: nats per target; exact_match; first_hop; target_accuracy. One teacher-forced pass
        finds them: under greedy decoding a path is right if and only if all its targets are.
        """
        sums: list[Tensor] = []
        for first in range(0, self._tests, self._batch):  # no more memory than a step takes
            examples = self._test.draw(first, min(self._batch, self._tests - first))
            result = predict(model, params, [self._part(examples)], metrics="hits")
            right = result.argmax.view_as(examples.targets).eq(examples.targets).float()
            whole, loss = right.amin(2).sum(1), result.row_loss.sum(1) / right.shape[2]
            sums.append(torch.stack([loss, whole, *right.sum(1).unbind(1)]))
        loss, whole, *each = (torch.stack(sums).sum(0) / self._tests).float()
        return {
            "path_loss": loss,
            "exact_match": whole,
            "first_hop": each[self._first_hop],
            "target_accuracy": torch.stack(each, 1),
        }

    def embedding(self, table: Tensor) -> Tensor:
        """See `Task.embedding`: one row per label."""
        return table[:, FIRST_NODE:]

    def tensors(self, params: dict[str, Tensor]) -> dict[str, Tensor]:
        """See `Task.tensors`."""
        found = {"special_embedding": params["embedding"][:, :FIRST_NODE]}
        for name in ("embedding", "unembedding"):
            if name in params:
                found[name] = self.embedding(params[name])
        return found

    def labels(self) -> dict[str, Tensor]:
        """See `Task.labels`."""
        tokens = torch.arange(FIRST_NODE, self.vocab, device=self._no_prefix.device)
        return {"node_token": tokens.repeat(len(self._no_prefix), 1)}

    def shared(self) -> dict[str, NDArray[np.int64]]:
        """See `Task.shared`: there is no graph that outlasts its prompt."""
        return {}

    def metadata(self) -> dict[str, Any]:
        """See `Task.metadata`."""
        return {}
