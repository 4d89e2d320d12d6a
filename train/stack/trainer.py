"""A stack in training: from point to point of its evaluations, members leaving as they finish."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geomem.train.config.run import RunConfig
from geomem.train.stack.build import build_model, build_task
from geomem.train.stack.learner import build_learner
from geomem.train.stack.members import (
    Rates,
    Settings,
    Stage,
    evaluation_steps,
    history_steps,
    stages_of,
)
from geomem.train.stack.state import State

COMPACT_AT = 0.75  # share of active members below which a stack leaves the others behind


@dataclass(frozen=True)
class Progress:
    """How far a stack is; loss is the median over active members, in nats.

    Of each its mean since the last evaluation, right after one that until then. At the end, when
    no member is active, the median is over those that ended last.
    """

    step: int
    steps: int
    members: int
    active: int
    member_steps: int
    loss: float


class Trainer:
    """A stack in training; what concerns all members stands here, the rest in `_assemble`."""

    def __init__(
        self, runs: Sequence[RunConfig], device: torch.device, compile: bool = False
    ) -> None:
        self.runs, self.device, self._compile = runs, device, compile
        self.task = build_task(runs, device)
        self.model = build_model(runs[0], self.task)
        self.state = State(runs, self.model, device)
        self.history = set().union(*(history_steps(run) for run in runs))
        longest = max(runs, key=lambda run: run.train.steps)
        self.steps = longest.train.steps
        self.stages = stages_of(longest)

    def _assemble(self) -> None:
        """Prepare the training of the members that are at work."""
        state, everyone = self.state, self.state.width == len(self.runs)
        self.at_work = [self.runs[k] for k in state.members()]
        task = self.task if everyone else build_task(self.at_work, self.device)
        self.settings = Settings(self.at_work, self.device)
        self.learner = build_learner(self.at_work, task, self.model, state, self._compile)
        self.own_points = [evaluation_steps(run) for run in self.at_work]
        self.points = set().union(*self.own_points)
        self.rates = [Rates(self.at_work, index) for index in range(len(self.stages))]
        self.thresholds = self._thresholds()

    def _thresholds(self) -> dict[str, Tensor]:
        """Of each measure that ends a training where it is reached, from where on, [W]."""
        rules = [run.train.stop_when for run in self.at_work]
        return {
            metric: torch.tensor(
                [rule.reaches if rule and rule.metric == metric else torch.inf for rule in rules],
                device=self.device,
            )
            for metric in {rule.metric for rule in rules if rule}
        }

    def _stage_at(self, step: int) -> tuple[int, Stage]:
        return max((i, stage) for i, stage in enumerate(self.stages) if stage.start <= step)

    def train(self, between: Callable[[], None]) -> None:
        """Train to the end, or until no member is active; `between` runs after every step."""
        self._assemble()
        while self.state.step < self.steps and (active := int(self.state.active.sum())):
            if active <= COMPACT_AT * self.state.width:
                self.state.compact()
                self._assemble()
            self._train_to_point(between)

    def _train_to_point(self, between: Callable[[], None]) -> None:
        state = self.state
        index, stage = self._stage_at(state.step)
        ahead = [s for s in self.points | self.history if s > state.step]
        stop = min([*ahead, stage.start + stage.steps])
        first = state.step - stage.start
        self.learner.enter(stage, first)
        if first == 0:
            state.arena.reset_moments()
            self._keep_history()
        rates = self.rates[index].table(first, stop - state.step).to(self.device)
        active = int(state.active.sum())
        while len(rates):
            n = self.learner.at_once if len(rates) >= self.learner.at_once else 1
            self.learner.advance(rates[:n], state.step - stage.start)
            rates = rates[n:]
            state.member_steps += n * active
            if state.step == stop:
                self._end_of_block()  # before a checkpoint may be written
            between()

    def _end_of_block(self) -> None:
        state = self.state
        if state.step in self.points:
            self._evaluate()
        self._keep_history()
        state.active &= self.settings.steps > state.step

    def _due(self) -> Tensor:
        """Members that are measured now: at their own points, as long as they train."""
        own = [self.state.step in points for points in self.own_points]
        return torch.tensor(own, device=self.device) & self.state.active

    def _evaluate(self) -> None:
        state, due = self.state, self._due()
        found = {"loss": state.loss_sum / state.loss_count}
        found |= self.learner.evaluate()
        state.measure(found, due)
        self._stop_early(found, due)

    def _stop_early(self, found: dict[str, Tensor], due: Tensor) -> None:
        for metric, reaches in self.thresholds.items():
            if metric in found:
                reached = due & (found[metric] >= reaches)
                self.state.stopped_at.masked_fill_(reached, self.state.step)
                self.state.active &= ~reached

    def _keep_history(self) -> None:
        state = self.state
        if state.step in self.history and state.step not in state.history_step:
            table = state.in_order(state.arena.whole()["embedding"].detach())
            # A copy: a task may hand on a view of the parameters.
            state.history.append(self.task.embedding(table).to("cpu", copy=True))
            state.history_step.append(state.step)

    def progress(self) -> Progress:
        """Return how far the stack is; waits for the device."""
        state = self.state
        active, losses = int(state.active.sum()), self._mean_losses()
        loss = float((losses[state.active] if active else losses).nanmedian())
        K = len(self.runs)
        return Progress(state.step, self.steps, K, active, state.member_steps, loss)

    def _mean_losses(self) -> Tensor:
        """Mean losses [W] since the last evaluation, or until it where no step was made since."""
        state = self.state
        mean = state.loss_sum / state.loss_count
        if not state.metrics_step:
            return mean
        last = state.metrics["loss"][-1][state.order[: state.width].to(self.device)]
        return torch.where(state.loss_count > 0, mean, last)
