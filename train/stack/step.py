"""One optimiser step of a whole stack, without waiting for the device."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from geomem.kernels import AdamWHyper, adamw_step
from geomem.models import Model
from geomem.train.config.run import RunConfig
from geomem.train.stack.batches import Part
from geomem.train.stack.compiled import Program
from geomem.train.stack.gradients import Found, Gradients
from geomem.train.stack.members import Settings, Stage
from geomem.train.stack.state import State


class Step:
    """Forward, loss, backward, clipping and AdamW for every active member.

    What changes from step to step stands on the device, steps done (`clock`: of the run, of the
    stage) included, so that a step can be recorded once and replayed. compile: differentiate by a
    program that PyTorch's compiler makes at the first step of a stage.
    """

    def __init__(
        self,
        runs: Sequence[RunConfig],
        model: Model,
        state: State,
        settings: Settings,
        known_tokens: Tensor | None = None,
        compile: bool = False,
    ) -> None:
        self._state, self._settings, self._compile = state, settings, compile
        self._clock = torch.zeros(2, dtype=torch.int64, device=state.active.device)
        trained = list(state.arena.trained())
        self._gradients = Gradients(runs, model, trained, settings, known_tokens)
        self._differentiate: Callable[..., Found] = self._gradients.find
        self._stage: Stage | None = None

    def start(self, stage: Stage, in_stage: int) -> None:
        """Set the clock: in_stage steps of this stage are done."""
        self._clock.copy_(torch.tensor([self._state.step, in_stage]))
        if self._compile and stage != self._stage:  # in which parts are all of one structure
            self._differentiate = Program(self._gradients.find)
        self._stage = stage

    def each(self, batches: Sequence[Sequence[Part]], rates: Tensor) -> None:
        """Do one step per batch; rates: [steps, K]."""
        for parts, lr in zip(batches, rates, strict=True):
            self(parts, lr)

    def __call__(self, parts: Sequence[Part], lr: Tensor) -> None:
        """Train on the parts; lr: [K]."""
        state = self._state
        found = self._differentiate(state.arena.params, parts, self._clock[0])
        state.arena.take_gradients(found.gradients)
        state.note(found.loss, found.norm, self._settings.divergence_loss, self._clock[0])
        self._update(lr.float(), found.norm)
        self._clock += 1

    def _update(self, lr: Tensor, norm: Tensor) -> None:
        state, settings = self._state, self._settings
        hyper = AdamWHyper(
            lr=lr,
            weight_decay=settings.weight_decay,
            beta1=settings.beta1,
            beta2=settings.beta2,
            eps=settings.eps,
            scale=(settings.clip / norm).clamp(max=1.0),
            step=(self._clock[1] + 1).to(lr.dtype).expand(lr.shape),
        )
        with torch.no_grad():
            adamw_step(*state.arena.rows(), hyper, state.active)
