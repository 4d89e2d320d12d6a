"""The facts of a stack: queries of a subject and relations, answered by attributes.

K members · N subjects · R relations · S = R^hops strings of relations · L targets of a query
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geomem.models import Model, Segment, output_matrix, pairs
from geomem.train.config.model import Recall
from geomem.train.config.run import RunConfig
from geomem.train.config.task import Facts
from geomem.train.stack.batches import Part, predict
from geomem.train.stack.evaluation import chunk_rows
from geomem.train.stack.members import Stage
from geomem.train.stack.sampling import EpochStream
from geomem.train.tasks.facts import build_facts
from geomem.train.tasks.facts_size import context_length, target_count, token_count


class FactsTask:
    """See `Task`. A full batch of one hop is every pair of subject and relation."""

    def __init__(self, runs: Sequence[RunConfig], device: torch.device) -> None:
        task, seeds = runs[0].task, [run.seed for run in runs]
        assert isinstance(task, Facts)
        self._task = task
        self._own_tables = isinstance(runs[0].model, Recall)
        self.facts = build_facts(task, seeds, device)
        self.vocab, self.context = token_count(task), context_length(task)
        self._targets = target_count(task)
        self._order = self._whole = None
        size = task.query_count if self.facts.train is None else self.facts.train.shape[1]
        if runs[0].train.fact_batch == "all":
            self._whole = self._all(size)
        else:
            batch = runs[0].train.fact_batch
            self._order = EpochStream(seeds, "fact order", size, batch, device)

    @property
    def _first_answer(self) -> int:
        """Row of attribute 0 in the table that scores answers."""
        task = self._task
        return 0 if self._own_tables or task.hops > 1 else task.subjects + task.relations

    def known_tokens(self, vocab: int) -> Tensor | None:
        """See `Task.known_tokens`."""

    def enter(self, stage: Stage) -> None:
        """See `Task.enter`."""

    def prepare(self, step: int, count: int) -> None:
        """See `Task.prepare`."""
        if self._order is not None:
            self._order.prepare(step, count)

    def parts(self, step: int | Tensor) -> list[Part]:
        """See `Task.parts`."""
        if self._order is None:
            assert self._whole is not None
            return [self._whole]
        rows, train = self._order.batch(step), self.facts.train
        return [self._part(rows if train is None else train.gather(1, rows))]

    def _all(self, size: int) -> Part:
        if self._task.hops == 1:
            return self._pairs(0, self._task.subjects)
        if self.facts.train is not None:
            return self._part(self.facts.train)
        K, device = len(self.facts.answers), self.facts.answers.device
        return self._part(torch.arange(size, device=device).expand(K, -1))

    def _pairs(self, first: int, last: int) -> Part:
        """All relations of subjects [first, last)."""
        answers, N = self.facts.answers[:, :, first:last], self._task.subjects
        K, R, _ = answers.shape
        subjects = torch.arange(first, first + answers.shape[2], device=answers.device)
        relations = torch.arange(N, N + R, device=answers.device)
        segment = pairs(subjects.expand(K, -1), relations.expand(K, -1))
        return Part(segment, answers.flatten(1) + self._first_answer)

    def _part(self, which: Tensor) -> Part:
        queries, L = self.facts.queries(which), self._targets
        answers = queries.answers[:, :, -L:]
        tokens = torch.cat([queries.tokens, answers[:, :, :-1]], 2)  # of several hops: subjects
        segment = Segment(tokens, tokens[:, 0, :0], L)
        return Part(segment, (answers + self._first_answer).flatten(1))

    @torch.no_grad()
    def evaluate(self, model: Model, params: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the measures of every member, float32 [K], over all queries.

        accuracy: share of the trained queries whose targets are all right, which under greedy
        decoding one teacher-forced pass finds; relation_accuracy [K, R]: the same by the last
        relation; fact_loss: nats per target. With a chain of thought step_accuracy [K, hops]; with
        queries held out the three of them too: held_out_accuracy, held_out_step_accuracy, ...
        """
        rights, losses = zip(*self._chunks(model, params), strict=True)
        right, loss = (torch.cat(found, 2).flatten(1, 2) for found in (rights, losses))
        found = self._measures(right, loss, self.facts.train)
        if self.facts.held_out is not None:
            out = self._measures(right, loss, self.facts.held_out)
            found |= {f"held_out_{name}": value for name, value in out.items()}
        return found

    def _chunks(self, model: Model, params: dict[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Right and loss of every target, [K, S, subjects of the chunk, L]."""
        K = len(params["embedding"])
        strings, N = self._task.relations**self._task.hops, self._task.subjects
        step = chunk_rows(params, strings * self.context)
        for first in range(0, N, step):
            part = self._of_subjects(first, min(N, first + step))
            result = predict(model, params, [part], metrics="hits")
            assert isinstance(part.targets, Tensor)
            right = result.argmax == part.targets
            shape = (K, strings, -1, self._targets)
            yield right.view(shape), result.row_loss.view(shape)

    def _of_subjects(self, first: int, last: int) -> Part:
        if self._task.hops == 1:
            return self._pairs(first, last)
        device, N = self.facts.answers.device, self._task.subjects
        which = torch.arange(self._task.query_count, device=device).view(-1, N)[:, first:last]
        return self._part(which.flatten().expand(len(self.facts.answers), -1))

    def _measures(self, right: Tensor, loss: Tensor, which: Tensor | None) -> dict[str, Tensor]:
        """Measures of the queries `which` [K, ·], or of all; right, loss: [K, Q, L]."""
        count = torch.ones(right.shape[:2], device=right.device)
        if which is not None:
            count = torch.zeros_like(count).scatter_(1, which, 1)
        total, R = count.sum(1), self._task.relations
        whole, nats = right.all(2) * count, loss.mean(2) * count
        last = [t.view(len(t), R, -1).sum(2) for t in (whole, count)]
        found = {
            "accuracy": whole.sum(1) / total,
            "relation_accuracy": last[0] / last[1],
            "fact_loss": (nats.sum(1) / total).float(),
        }
        if self._targets > 1:
            found["step_accuracy"] = (right * count[:, :, None]).sum(1) / total[:, None]
        return found

    def embedding(self, table: Tensor) -> Tensor:
        """See `Task.embedding`: one row per subject."""
        return table[:, : self._task.subjects]

    def tensors(self, params: dict[str, Tensor]) -> dict[str, Tensor]:
        """See `Task.tensors`: the tables of subjects, relations and attributes, and the facts.

        Of a recall model the rest of the parameters too: its analysis reads all of it.
        """
        N, task = self._task.subjects, self._task
        scores = output_matrix(params)[:, self._first_answer :]
        found = {
            "embedding": self.embedding(params["embedding"]),
            "attributes": scores[:, : task.attribute_count],
            "answers": self.facts.answers,
        }
        if self.facts.held_out is not None:
            found["held_out"] = self.facts.held_out
        if not self._own_tables:
            return found | {"relations": params["embedding"][:, N : N + task.relations]}
        tables = ("embedding", "relations", "unembedding")
        found["relations"] = params["relations"]
        return found | {f"parameters/{n}": t for n, t in params.items() if n not in tables}

    def labels(self) -> dict[str, Tensor]:
        """See `Task.labels`: tokens follow from the numbers of subjects and relations."""
        return {}

    def shared(self) -> dict[str, NDArray[np.int64]]:
        """See `Task.shared`."""
        return {}

    def metadata(self) -> dict[str, Any]:
        """See `Task.metadata`."""
        return {}
