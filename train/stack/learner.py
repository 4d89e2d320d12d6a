"""How a stack learns and is measured: by AdamW on a model of tokens, or by Node2Vec's ascent."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from geomem.kernels import member_norm
from geomem.models import Model, Neighbours, Node2Vec, output_matrix
from geomem.train.config.run import RunConfig
from geomem.train.stack.batches import tensors_of, with_tensors
from geomem.train.stack.compiled import Program, Repeated
from geomem.train.stack.in_weights import InWeightsTask
from geomem.train.stack.members import Settings, Stage
from geomem.train.stack.replay import Replay
from geomem.train.stack.state import State
from geomem.train.stack.step import Step
from geomem.train.stack.task import Task
from geomem.train.tasks.ahead import AT_ONCE

PIECE_BYTES = 4 << 20  # of parameters, gradients and moments: what a cache holds for a while


def pieces(bytes_each: int, width: int) -> list[slice]:
    """Divide members into pieces of about PIECE_BYTES, of one size if one near the best will do."""
    most = max(1, min(width, PIECE_BYTES // bytes_each))
    even = [size for size in range(most, most // 2, -1) if width % size == 0]
    size = even[0] if even else most
    return [slice(first, min(width, first + size)) for first in range(0, width, size)]


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
    """Batches of tokens, loss, gradient, AdamW; on a GPU as a graph of several steps.

    Compiled for a CPU, a stack goes in pieces whose numbers stay in its cache for some steps.
    """

    def __init__(
        self, runs: Sequence[RunConfig], task: Task, model: Model, state: State, compile: bool
    ) -> None:
        self._task, self._model, self._state = task, model, state
        device = state.active.device
        known = task.known_tokens(output_matrix(state.arena.params).shape[1])
        settings = Settings(runs, device)
        self._compile, self._on_cpu = compile, device.type == "cpu"
        self._stage: Stage | None = None
        self._replay: Replay | None = None
        self._pieces, self.at_once = [slice(0, len(runs))], 1 if self._on_cpu else AT_ONCE
        if compile and self._on_cpu:
            # Gradients and two moments are as large as the parameters.
            bytes_each = sum(4 * t[0].nbytes for t in state.arena.trained().values())
            self._pieces = pieces(bytes_each, len(runs))
            if len(self._pieces) > 1 and bytes_each <= PIECE_BYTES:
                self.at_once = AT_ONCE
        self._steps = [
            Step(
                runs[own],
                model,
                state.part(own),
                settings.part(own),
                None if known is None else known[own],
            )
            for own in self._pieces
        ]

    def enter(self, stage: Stage, in_stage: int) -> None:
        """See `Learner.enter`."""
        if stage != self._stage:
            self._task.enter(stage)
            if not self._on_cpu:
                self._replay = Replay(self)
            if self._compile:  # for each stage, in which parts are all of one structure
                # Evaluations, which have many shapes and are few, are not compiled.
                program = Program(Step.plain, on_cpu=self._on_cpu)
                for step in self._steps:
                    step.do = Repeated(program) if self._on_cpu else program
            self._stage = stage
        for step in self._steps:
            step.start(stage, in_stage)

    def advance(self, rates: Tensor, in_stage: int) -> None:
        """See `Learner.advance`."""
        self._task.prepare(in_stage, len(rates))
        if self._replay is not None:
            self._replay(rates)
        elif len(self._steps) == 1:
            self.each(rates)
        else:
            self._by_pieces(rates, in_stage)
        self._state.step += len(rates)

    def each(self, rates: Tensor) -> None:
        """See `Steps.each`."""
        (step,) = self._steps
        for lr in rates:
            step(self._task.parts(step.in_stage), lr)

    def _by_pieces(self, rates: Tensor, in_stage: int) -> None:
        batches = [self._task.parts(in_stage + i) for i in range(len(rates))]
        tensors = tensors_of(batches)
        for own, step in zip(self._pieces, self._steps, strict=True):
            given = with_tensors(batches, [t[own] for t in tensors])
            for parts, lr in zip(given, rates[:, own], strict=True):
                step(parts, lr)

    def evaluate(self) -> dict[str, Tensor]:
        """See `Task.evaluate`."""
        return self._task.evaluate(self._model, self._state.arena.params)


class GraphLearner:
    """Gradient ascent of Node2Vec on the edge examples; on a GPU as a graph of several steps."""

    def __init__(
        self, runs: Sequence[RunConfig], task: InWeightsTask, model: Node2Vec, state: State
    ) -> None:
        self._model, self._state, device = model, state, state.active.device
        self._divergence_loss = Settings(runs, device).divergence_loss
        self._clock = torch.zeros((), dtype=torch.int64, device=device)  # steps done
        self._gradients = {n: torch.zeros_like(t) for n, t in state.arena.trained().items()}
        edges = task.tables.edges  # nodes are their own tokens here, the same for every member
        self._graph = Neighbours.of(edges.source[0], edges.target[0], model.nodes, model.dtype)
        self._replay, self.at_once = None, 1
        if device.type != "cpu":
            self._replay, self.at_once = Replay(self), AT_ONCE

    def enter(self, stage: Stage, in_stage: int) -> None:
        """See `Learner.enter`; every step is alike."""
        self._clock.fill_(stage.start + in_stage)

    def advance(self, rates: Tensor, in_stage: int) -> None:
        """See `Learner.advance`."""
        step = self._replay or self.each
        step(rates)
        self._state.step += len(rates)

    @torch.no_grad()
    def each(self, rates: Tensor) -> None:
        """See `Steps.each`; each is on all examples."""
        for lr in rates:
            self._ascend(lr)
            self._clock.add_(1)

    def _ascend(self, lr: Tensor) -> None:
        state, arena = self._state, self._state.arena
        loss = self._model.ascent(arena.params, self._graph, self._gradients)
        norm = self._norm()
        state.note(loss.float(), norm, self._divergence_loss, self._clock)
        for name, table in arena.params.items():
            moved = self._gradients[name] * lr[:, None, None]
            table.add_(moved.masked_fill_(~state.active[:, None, None], 0))

    def _norm(self) -> Tensor:
        return member_norm([t.flatten(1) for t in self._gradients.values()])

    @torch.no_grad()
    def evaluate(self) -> dict[str, Tensor]:
        """See `models.node2vec.Measures`; residual: ‖CV‖ / ‖V‖, over both tables if untied."""
        arena = self._state.arena
        found = self._model.measure(arena.params, self._graph)._asdict()
        self._model.ascent(arena.params, self._graph, self._gradients)
        size = torch.stack([t.square().sum((1, 2)) for t in arena.params.values()]).sum(0).sqrt()
        found["residual"] = self._norm() / size
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
