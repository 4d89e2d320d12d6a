"""Everything that changes while a stack trains, and nothing else: what a checkpoint holds."""

from collections.abc import Sequence

import torch
from torch import Tensor

from geomem.models import Parametric
from geomem.train.config.run import RunConfig
from geomem.train.stack.arena import Arena
from geomem.train.stack.build import initial_settings

NOT_YET = -1


class State:
    """Parameters and optimiser (`arena`), flags per member, and the measures so far.

    step: optimiser steps done; active: bool [K], members that still train; diverged_at,
    stopped_at: int64 [K], the step at which a member left, or -1; loss_sum, loss_count: float32
    [K], training loss since the last evaluation; metrics: name -> one tensor [K, …] per point.
    """

    def __init__(self, runs: Sequence[RunConfig], model: Parametric, device: torch.device) -> None:
        K = len(runs)
        seeds = [run.seed for run in runs]
        self.arena = Arena(model, seeds, initial_settings(runs), device)
        self.step = 0
        self.member_steps = 0
        self.active = torch.ones(K, dtype=torch.bool, device=device)
        self.diverged_at = torch.full((K,), NOT_YET, device=device)
        self.stopped_at = torch.full((K,), NOT_YET, device=device)
        self.loss_sum = torch.zeros(K, device=device)
        self.loss_count = torch.zeros(K, device=device)
        self.metrics: dict[str, list[Tensor]] = {}
        self.metrics_step: list[int] = []
        self.history: list[Tensor] = []
        self.history_step: list[int] = []

    def note(self, loss: Tensor, norm: Tensor, divergence_loss: Tensor) -> None:
        """Mark members whose loss or gradient left the numbers; their parameters stay put."""
        fine = torch.isfinite(norm) & (loss <= divergence_loss)
        self.diverged_at.masked_fill_(self.active & ~fine, self.step)
        self.active &= fine
        self.loss_sum += torch.where(self.active, loss, 0)
        self.loss_count += self.active

    def _whole(self) -> dict[str, Tensor]:
        arena = self.arena
        return {
            "data": arena.data,
            "first": arena.first,
            "second": arena.second,
            "active": self.active,
            "diverged_at": self.diverged_at,
            "stopped_at": self.stopped_at,
            "loss_sum": self.loss_sum,
            "loss_count": self.loss_count,
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return the state as named tensors on the CPU."""
        found = dict(self._whole())
        found |= {f"metrics/{name}": torch.stack(points) for name, points in self.metrics.items()}
        if self.history:
            found["history"] = torch.stack(self.history)
        found["counters"] = torch.tensor([self.step, self.member_steps])
        found["metrics_step"] = torch.tensor(self.metrics_step, dtype=torch.int64)
        found["history_step"] = torch.tensor(self.history_step, dtype=torch.int64)
        return {name: t.detach().cpu().contiguous() for name, t in found.items()}

    def restore(self, saved: dict[str, Tensor]) -> None:
        """Take over the tensors of `tensors()`."""
        with torch.no_grad():
            for name, target in self._whole().items():
                target.copy_(saved[name])
        self.step, self.member_steps = saved["counters"].tolist()
        self.metrics_step = saved["metrics_step"].tolist()
        self.history_step = saved["history_step"].tolist()
        device = self.active.device
        names = [name for name in saved if name.startswith("metrics/")]
        self.metrics = {n.removeprefix("metrics/"): list(saved[n].to(device)) for n in names}
        self.history = list(saved["history"]) if self.history_step else []
