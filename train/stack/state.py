"""Everything that changes while a stack trains, and nothing else: what a checkpoint holds."""

from collections.abc import Sequence

import torch
from torch import Tensor

from geomem.models import Node2Vec, Parametric
from geomem.train.config.run import RunConfig
from geomem.train.stack.arena import Arena, Tables
from geomem.train.stack.build import initial_settings

NOT_YET = -1
FLAGS = ("active", "diverged_at", "stopped_at", "loss_sum", "loss_count")


class Members:
    """What a step changes of W members: parameters and moments, flags and sums, as views.

    active: bool [W], members that still train; diverged_at, stopped_at: int64 [W], the step at
    which a member left, or -1; loss_sum, loss_count: float32 [W], training loss since the last
    evaluation.
    """

    arena: Tables
    active: Tensor
    diverged_at: Tensor
    stopped_at: Tensor
    loss_sum: Tensor
    loss_count: Tensor

    def part(self, members: slice) -> "Members":
        """Return the same of some of the members."""
        part = Members()
        part.arena = self.arena.part(members)
        for name in FLAGS:
            setattr(part, name, getattr(self, name)[members])
        return part

    def note(self, loss: Tensor, norm: Tensor, divergence_loss: Tensor, step: Tensor) -> None:
        """Mark members whose loss or gradient left the numbers; their parameters stay put.

        step: int64 [], steps done before this one.
        """
        fine = torch.isfinite(norm) & (loss <= divergence_loss)
        self.diverged_at.copy_(torch.where(self.active & ~fine, step, self.diverged_at))
        self.active.logical_and_(fine)
        self.loss_sum.add_(torch.where(self.active, loss, 0))
        self.loss_count.add_(self.active)


class State(Members):
    """Parameters and optimiser (`arena`), flags per member, and the measures so far.

    A stack starts with W = K members at work. `compact` leaves behind those that are done, so
    that they cost no more time; what they reached stays. `order` [K] tells which member stands at
    which place: the first W places are at work.

    step: optimiser steps done; metrics: name -> one tensor [K, …] per point, in the order of the
    members, as is history.
    """

    arena: Arena

    def __init__(self, runs: Sequence[RunConfig], model: Parametric, device: torch.device) -> None:
        K = len(runs)
        seeds, moments = [run.seed for run in runs], not isinstance(model, Node2Vec)
        self.arena = Arena(model, seeds, initial_settings(runs), device, moments)
        self.step = 0
        self.member_steps = 0
        self._flags = {
            "active": torch.ones(K, dtype=torch.bool, device=device),
            "diverged_at": torch.full((K,), NOT_YET, device=device),
            "stopped_at": torch.full((K,), NOT_YET, device=device),
            "loss_sum": torch.zeros(K, device=device),
            "loss_count": torch.zeros(K, device=device),
        }
        self.order = torch.arange(K)
        self._expose(K)
        self.metrics: dict[str, list[Tensor]] = {}
        self.metrics_step: list[int] = []
        self.history: list[Tensor] = []
        self.history_step: list[int] = []

    def _expose(self, width: int) -> None:
        self.width = width
        for name, whole in self._flags.items():
            setattr(self, name, whole[:width])

    def members(self) -> list[int]:
        """Return which members are at work, in the order of their places."""
        return [int(member) for member in self.order[: self.width]]

    def compact(self) -> None:
        """Go on with the active members alone."""
        at_work = self.active.cpu()
        rest = torch.arange(self.width, len(self.order))
        places = torch.cat([at_work.nonzero()[:, 0], (~at_work).nonzero()[:, 0], rest])
        self._keep(places, int(at_work.sum()))

    def _keep(self, places: Tensor, width: int) -> None:
        self.order = self.order[places]
        there = places.to(self.active.device)
        for whole in self._flags.values():
            whole.copy_(whole[there])
        self.arena.keep(there, width)
        self._expose(width)

    def in_order(self, placed: Tensor) -> Tensor:
        """Put the rows of a tensor [K, …] from the order of places into that of the members."""
        out = torch.empty_like(placed)
        out[self.order.to(placed.device)] = placed
        return out

    def params(self) -> dict[str, Tensor]:
        """Return the parameters of all K members, in their order."""
        return {name: self.in_order(t.detach()) for name, t in self.arena.whole().items()}

    def left(self) -> tuple[list[int], list[int]]:
        """Return diverged_at and stopped_at of all K members, in their order."""
        names = ("diverged_at", "stopped_at")
        diverged, stopped = (self.in_order(self._flags[name]).tolist() for name in names)
        return diverged, stopped

    def measure(self, found: dict[str, Tensor], due: Tensor) -> None:
        """Note the measures [W, …] of members that are due, bool [W], at this step."""
        places = self.order[: self.width].to(due.device)
        for name, value in found.items():
            shown = torch.where(due.view(-1, *[1] * (value.dim() - 1)), value, torch.nan)
            whole = value.new_full((len(self.order), *value.shape[1:]), torch.nan)
            whole[places] = shown
            self.metrics.setdefault(name, []).append(whole)
        self.metrics_step.append(self.step)
        self.loss_sum.masked_fill_(due, 0)
        self.loss_count.masked_fill_(due, 0)

    def tensors(self) -> dict[str, Tensor]:
        """Return the state as named tensors on the CPU."""
        found = self.arena.state() | self._flags | {"order": self.order}
        found |= {f"metrics/{name}": torch.stack(points) for name, points in self.metrics.items()}
        if self.history:
            found["history"] = torch.stack(self.history)
        found["counters"] = torch.tensor([self.step, self.member_steps, self.width])
        found["metrics_step"] = torch.tensor(self.metrics_step, dtype=torch.int64)
        found["history_step"] = torch.tensor(self.history_step, dtype=torch.int64)
        return {name: t.detach().cpu().contiguous() for name, t in found.items()}

    def restore(self, saved: dict[str, Tensor]) -> None:
        """Take over the tensors of `tensors()`, into a state that has not begun to train."""
        self.step, self.member_steps, width = saved["counters"].tolist()
        self._keep(saved["order"], width)  # brings what is never trained to its place
        with torch.no_grad():
            for name, target in (self.arena.state() | self._flags).items():
                target.copy_(saved[name])
        self.metrics_step = saved["metrics_step"].tolist()
        self.history_step = saved["history_step"].tolist()
        device = self.active.device
        names = [name for name in saved if name.startswith("metrics/")]
        self.metrics = {n.removeprefix("metrics/"): list(saved[n].to(device)) for n in names}
        self.history = list(saved["history"]) if self.history_step else []
