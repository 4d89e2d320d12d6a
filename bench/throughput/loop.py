"""The training loop as one writes it: Dataset, DataLoader, padded batches, AdamW, `item()`.

P examples · T tokens
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import count, cycle, islice
from math import cos, pi
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from geomem.bench.peers import compiled
from geomem.bench.throughput.peer import GPT, IGNORED
from geomem.models import Transformer, draw
from geomem.train.config import RunConfig
from geomem.train.config.training import Optim
from geomem.train.stack.build import build_model, build_task, initial_settings
from geomem.train.stack.in_weights import InWeightsTask
from geomem.train.stack.sampling import EpochStream
from geomem.train.tasks.in_weights import Tables
from geomem.train.tasks.vocabulary import Special

KEPT_BATCHES = 32
Batches = Iterable[tuple[Tensor, Tensor]]


class Examples(Dataset[tuple[Tensor, Tensor]]):
    """All edge examples, then all path examples, padded to one length: tokens, labels [P, T]."""

    def __init__(self, tables: Tables) -> None:
        edges = tables.edges
        parts = [_whole(tables.edge_tag[0], edges.source[0, :, None], edges.target[0, :, None])]
        if tables.paths is not None:
            parts.append(
                _whole(tables.path_tag[0], tables.paths.tokens[0], tables.paths.targets[0])
            )
        longest = max(tokens.shape[1] for tokens, _ in parts)
        self.tokens = torch.cat([_padded(tokens, longest, Special.PAD) for tokens, _ in parts])
        self.labels = torch.cat([_padded(labels, longest, IGNORED) for _, labels in parts])

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.tokens[i], self.labels[i]


def _whole(tag: Tensor, tokens: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Put the task token in front, and each target under the token that predicts it."""
    whole = torch.cat([tag.expand(len(tokens), -1), tokens], 1)
    labels = torch.full_like(whole, IGNORED)
    labels[:, -targets.shape[1] :] = targets
    return whole, labels


def _padded(rows: Tensor, length: int, value: int) -> Tensor:
    return torch.nn.functional.pad(rows, (0, length - rows.shape[1]), value=value)


class SameOrder(Sampler[list[int]]):
    """The examples that geomem's streams give this run at each step, without an end."""

    def __init__(self, run: RunConfig, tables: Tables) -> None:
        device, train = torch.device("cpu"), run.train
        edges = tables.edges.source.shape[1]
        self._rows = [_stream(run, "edge order", torch.arange(edges), train.edge_batch, device)]
        if tables.paths is not None:
            rows = edges + tables.paths.train[0]
            self._rows.append(_stream(run, "path order", rows, train.path_batch, device))

    def __iter__(self) -> Iterator[list[int]]:
        for step in count():
            yield [row for rows in self._rows for row in rows(step)]


def _stream(
    run: RunConfig, purpose: str, rows: Tensor, batch: Any, device: torch.device
) -> Callable[[int], list[int]]:
    if batch == "all":
        every = rows.tolist()
        return lambda step: every
    stream = EpochStream([run.seed], purpose, len(rows), batch, device)
    return lambda step: rows[stream.batch(step)[0]].tolist()


class Loop:
    """One run in training.

    compile: the model, its loss included, goes through torch.compile; ready: batches are made
    ahead, and used in turns, so that the DataLoader costs nothing; bf16: by torch.autocast;
    dtype: of everything else.
    """

    def __init__(
        self,
        run: RunConfig,
        device: str,
        *,
        compile: bool = False,
        ready: bool = False,
        bf16: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        task = build_task([run], torch.device("cpu"))
        assert isinstance(task, InWeightsTask)
        model = _gpt(run, task).to(device, dtype)
        self.device, self.bf16 = device, bf16
        self.model: Callable[..., Tensor] = compiled(model) if compile else model
        self.loader: Batches = DataLoader(
            Examples(task.tables), batch_sampler=SameOrder(run, task.tables), num_workers=0
        )
        if ready:
            kept = islice(self.loader, KEPT_BATCHES)
            self.loader = cycle([(x.to(device), y.to(device)) for x, y in kept])
        optim = run.optim
        self.optimiser = torch.optim.AdamW(
            model.parameters(),
            lr=optim.lr,
            betas=optim.betas,
            eps=optim.eps,
            weight_decay=optim.weight_decay,
        )
        factor = _schedule(optim, run.train.steps)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, factor)

    def train(self, steps: int, note: Callable[[float], None]) -> None:
        """Train from the start; `note` gets every step's loss."""
        for tokens, labels in islice(self.loader, steps):
            with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
                loss = self.model(tokens.to(self.device), labels.to(self.device))
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.schedule.step()
            note(loss.item())


def _gpt(run: RunConfig, task: InWeightsTask) -> GPT:
    ours = build_model(run, task)
    if not isinstance(ours, Transformer):
        raise ValueError(f"the loop knows transformers only, not {run.model.kind}")
    settings = initial_settings([run])
    found = ours.parameters().items()
    model = GPT(ours)
    model.take({name: draw(name, p, [run.seed], settings)[0] for name, p in found})
    return model


def _schedule(optim: Optim, steps: int) -> Callable[[int], float]:
    """Linear warm-up, then a cosine, in units of the peak."""

    def factor(step: int) -> float:
        if step < optim.warmup_steps:
            return (step + 1) / optim.warmup_steps
        done = (step - optim.warmup_steps) / max(1, steps - optim.warmup_steps)
        floor = optim.final_lr_fraction
        return floor + (1 - floor) * 0.5 * (1 + cos(pi * min(1.0, done)))

    return factor
