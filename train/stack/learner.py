"""How a stack learns and is measured: by AdamW on a model of tokens, or by Node2Vec's ascent."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from geomem.models import Model, Neighbours, Node2Vec
from geomem.train.config.run import RunConfig
from geomem.train.stack.in_weights import InWeightsTask
from geomem.train.stack.members import Settings, Stage
from geomem.train.stack.state import State
from geomem.train.stack.step import Step
from geomem.train.stack.task import Task


class Learner(Protocol):
    """What the loop does with a stack; all that changes stands in its State."""

    def enter(self, stage: Stage) -> None:
        """Prepare for steps of the stage."""
        ...

    def step(self, lr: Tensor, in_stage: int) -> None:
        """Do one step of every active member; lr: float64 [K]; in_stage: steps done before."""
        ...

    def evaluate(self) -> dict[str, Tensor]:
        """Return the measures of every member, [K] or [K, ...]."""
        ...


class TokenLearner:
    """Batches of tokens, loss, gradient, AdamW."""

    def __init__(self, runs: Sequence[RunConfig], task: Task, model: Model, state: State) -> None:
        self._task, self._model, self._state = task, model, state
        self._step = Step(runs, model, state, Settings(runs, state.active.device))

    def enter(self, stage: Stage) -> None:
        """See `Learner.enter`."""
        self._task.enter(stage)

    def step(self, lr: Tensor, in_stage: int) -> None:
        """See `Learner.step`."""
        self._step(self._task.parts(in_stage), lr, in_stage)

    def evaluate(self) -> dict[str, Tensor]:
        """See `Task.evaluate`."""
        return self._task.evaluate(self._model, self._state.arena.params)


class GraphLearner:
    """Gradient ascent of Node2Vec on the edge examples themselves."""

    def __init__(
        self, runs: Sequence[RunConfig], task: InWeightsTask, model: Node2Vec, state: State
    ) -> None:
        self._model, self._state = model, state
        self._divergence_loss = Settings(runs, state.active.device).divergence_loss
        edges = task.tables.edges  # nodes are their own tokens here, the same for every member
        self._graph = Neighbours.of(edges.source[0], edges.target[0], model.nodes, model.dtype)

    def enter(self, stage: Stage) -> None:
        """See `Learner.enter`; every step is alike."""

    @torch.no_grad()
    def step(self, lr: Tensor, in_stage: int) -> None:
        """See `Learner.step`."""
        state, arena = self._state, self._state.arena
        loss = self._model.ascent(arena.params, self._graph, arena.slots)
        norm = torch.linalg.vector_norm(arena.gradients, dim=1)
        state.note(loss.float(), norm, self._divergence_loss)
        moved = arena.gradients.mul_(lr[:, None])
        arena.data.add_(moved.masked_fill_(~state.active[:, None], 0))
        state.step += 1

    @torch.no_grad()
    def evaluate(self) -> dict[str, Tensor]:
        """See `models.node2vec.Measures`; residual: ‖CV‖ / ‖V‖, over both tables if untied."""
        arena = self._state.arena
        found = self._model.measure(arena.params, self._graph)._asdict()
        self._model.ascent(arena.params, self._graph, arena.slots)
        norms = (torch.linalg.vector_norm(x, dim=1) for x in (arena.gradients, arena.data))
        found["residual"] = torch.div(*norms)
        return {name: value.float() for name, value in found.items()}


def build_learner(
    runs: Sequence[RunConfig], task: Task, model: Model | Node2Vec, state: State
) -> Learner:
    """Return what trains the stack's model."""
    if isinstance(model, Node2Vec):
        assert isinstance(task, InWeightsTask)
        return GraphLearner(runs, task, model, state)
    return TokenLearner(runs, task, model, state)
