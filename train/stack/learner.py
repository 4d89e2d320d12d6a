"""How a stack learns and is measured: by AdamW on a model of tokens, or by Node2Vec's ascent."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from geomem.models import Model, Neighbours, Node2Vec, output_matrix
from geomem.train.config.run import RunConfig
from geomem.train.stack.in_weights import InWeightsTask
from geomem.train.stack.members import Settings, Stage
from geomem.train.stack.replay import GRAPH_STEPS, Replay
from geomem.train.stack.state import State
from geomem.train.stack.step import Step
from geomem.train.stack.task import Task


class Learner(Protocol):
    """What the loop does with a stack; all that changes stands in its State.

    at_once: how many steps `advance` does best in one call.
    """

    at_once: int

    def enter(self, stage: Stage, in_stage: int) -> None:
        """Prepare for steps of the stage, of which in_stage are done."""
        ...

    def advance(self, rates: Tensor, in_stage: int) -> None:
        """Do steps of every active member; rates: float64 [steps, K]; in_stage: done before."""
        ...

    def evaluate(self) -> dict[str, Tensor]:
        """Return the measures of every member, [K] or [K, ...]."""
        ...


class TokenLearner:
    """Batches of tokens, loss, gradient, AdamW; on a GPU as a graph of several steps."""

    def __init__(
        self, runs: Sequence[RunConfig], task: Task, model: Model, state: State, compile: bool
    ) -> None:
        self._task, self._model, self._state = task, model, state
        device = state.active.device
        known = task.known_tokens(output_matrix(state.arena.params).shape[1])
        settings = Settings(runs, device)
        # Evaluations, which have many shapes and are few, are not compiled.
        self._step = Step(runs, model, state, settings, known, compile)
        self._replay = Replay(self._step) if device.type == "cuda" else None
        self.at_once = 1 if self._replay is None else GRAPH_STEPS

    def enter(self, stage: Stage, in_stage: int) -> None:
        """See `Learner.enter`."""
        self._task.enter(stage)
        self._step.start(stage, in_stage)

    def advance(self, rates: Tensor, in_stage: int) -> None:
        """See `Learner.advance`."""
        batches = [self._task.parts(in_stage + i) for i in range(len(rates))]
        run = self._replay or self._step.each
        run(batches, rates)
        self._state.step += len(rates)

    def evaluate(self) -> dict[str, Tensor]:
        """See `Task.evaluate`."""
        return self._task.evaluate(self._model, self._state.arena.params)


class GraphLearner:
    """Gradient ascent of Node2Vec on the edge examples themselves."""

    at_once = 1

    def __init__(
        self, runs: Sequence[RunConfig], task: InWeightsTask, model: Node2Vec, state: State
    ) -> None:
        self._model, self._state = model, state
        self._divergence_loss = Settings(runs, state.active.device).divergence_loss
        edges = task.tables.edges  # nodes are their own tokens here, the same for every member
        self._graph = Neighbours.of(edges.source[0], edges.target[0], model.nodes, model.dtype)

    def enter(self, stage: Stage, in_stage: int) -> None:
        """See `Learner.enter`; every step is alike."""

    @torch.no_grad()
    def advance(self, rates: Tensor, in_stage: int) -> None:
        """See `Learner.advance`."""
        for lr in rates:
            self._ascend(lr)
            self._state.step += 1

    def _ascend(self, lr: Tensor) -> None:
        state, arena = self._state, self._state.arena
        loss = self._model.ascent(arena.params, self._graph, arena.gradients)
        norm = arena.gradient_norm()
        step = torch.tensor(state.step, device=norm.device)
        state.note(loss.float(), norm, self._divergence_loss, step)
        for name, table in arena.params.items():
            moved = arena.gradients[name] * lr[:, None, None]
            table.add_(moved.masked_fill_(~state.active[:, None, None], 0))

    @torch.no_grad()
    def evaluate(self) -> dict[str, Tensor]:
        """See `models.node2vec.Measures`; residual: ‖CV‖ / ‖V‖, over both tables if untied."""
        arena = self._state.arena
        found = self._model.measure(arena.params, self._graph)._asdict()
        self._model.ascent(arena.params, self._graph, arena.gradients)
        size = torch.stack([t.square().sum((1, 2)) for t in arena.params.values()]).sum(0).sqrt()
        found["residual"] = arena.gradient_norm() / size
        return {name: value.float() for name, value in found.items()}


def build_learner(
    runs: Sequence[RunConfig],
    task: Task,
    model: Model | Node2Vec,
    state: State,
    compile: bool = False,
) -> Learner:
    """Return what trains the stack's model; compile: by torch.compile where it takes tokens."""
    if isinstance(model, Node2Vec):
        assert isinstance(task, InWeightsTask)
        return GraphLearner(runs, task, model, state)
    return TokenLearner(runs, task, model, state, compile)
