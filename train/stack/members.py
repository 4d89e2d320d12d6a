"""What differs between the members of a stack, as tensors [K], and their learning rates."""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from geomem.train.config.run import RunConfig


@dataclass(frozen=True)
class Stage:
    """Steps [start, start + steps) of a run, with its own optimiser state and schedule.

    examples: kinds of examples that every step takes, as the task's curriculum names them.
    """

    examples: frozenset[str]
    start: int
    steps: int
    lr: float
    warmup_steps: int


def stages_of(run: RunConfig) -> list[Stage]:
    """Return the stages of a run in order; all but the staged recipe have one."""
    optim, first = run.optim, run.train.edge_steps or 0
    *early, last = run.task.curriculum
    lr = optim.edge_lr if optim.edge_lr is not None else optim.lr
    stages = [Stage(examples, 0, first, lr, optim.edge_warmup_steps) for examples in early]
    rest = run.train.steps - first
    return [*stages, Stage(last, first, rest, optim.lr, optim.warmup_steps)]


def evaluation_steps(run: RunConfig) -> set[int]:
    """Return after how many steps a run is measured; the end of every stage is among them."""
    every = run.train.eval_every or -(-run.train.steps // 20)
    ends = {stage.start + stage.steps for stage in stages_of(run)}
    return set(range(every, run.train.steps + 1, every)) | ends


def history_steps(run: RunConfig) -> set[int]:
    """Return after how many steps a run's embeddings are kept, 0 and the last included."""
    every = run.train.history_every
    if every is None:
        return set()
    return set(range(0, run.train.steps + 1, every)) | {run.train.steps}


class Settings:
    """Per-member settings of the optimiser, float32 [K] on the stack's device.

    drops: whether any member has dropout, so that all go through it.
    """

    def __init__(self, runs: Sequence[RunConfig], device: torch.device) -> None:
        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device)

        optims = [run.optim for run in runs]
        self.weight_decay = column([o.weight_decay for o in optims])
        self.beta1 = column([o.betas[0] for o in optims])
        self.beta2 = column([o.betas[1] for o in optims])
        self.eps = column([o.eps for o in optims])
        self.clip = column([o.clip if o.clip is not None else torch.inf for o in optims])
        self.steps = column([run.train.steps for run in runs])
        self.divergence_loss = column([run.train.divergence_loss for run in runs])
        self.dropout = column([getattr(run.model, "dropout", 0.0) for run in runs])
        self.drops = any(getattr(run.model, "dropout", 0.0) for run in runs)

    def part(self, members: slice) -> "Settings":
        """Return those of some of the members; `drops` stays what it is of all."""
        part = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(part, name, value[members])
        return part


class Rates:
    """Learning rates of runs in stage `index`."""

    def __init__(self, runs: Sequence[RunConfig], index: int) -> None:
        def column(values: Iterable[float]) -> Tensor:
            return torch.tensor(list(values), dtype=torch.float64)

        stages, optims = [stages_of(run)[index] for run in runs], [run.optim for run in runs]
        self._peak, self._steps = column(s.lr for s in stages), column(s.steps for s in stages)
        self._warmup = column(s.warmup_steps for s in stages)
        self._floor = column(o.final_lr_fraction if o.schedule == "cosine" else 1.0 for o in optims)

    def table(self, first: int, count: int) -> Tensor:
        """Return the rates of steps, the stage's `first` and those after it, float64 [count, K]."""
        step = torch.arange(first, first + count, dtype=torch.float64)[:, None]
        begun = ((step + 1) / self._warmup.clamp(min=1)).clamp(max=1.0)
        rest = (self._steps - self._warmup).clamp(min=1)
        progress = ((step - self._warmup) / rest).clamp(0.0, 1.0)
        decay = 0.5 * (1 + torch.cos(torch.pi * progress))
        return self._peak * begun * (self._floor + (1 - self._floor) * decay)
