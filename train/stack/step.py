"""One optimiser step of members, without waiting for the device."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from geomem.kernels import AdamWHyper, adamw_step
from geomem.models import Model
from geomem.train.config.run import RunConfig
from geomem.train.stack.batches import Part
from geomem.train.stack.gradients import Gradients
from geomem.train.stack.members import Settings, Stage
from geomem.train.stack.state import Members


class Step:
    """Forward, loss, backward, clipping and AdamW for every active member.

    What changes from step to step stands on the device, steps done (`clock`: of the run, of the
    stage) included, so that a step can be recorded once and replayed, or compiled. do: what does
    a step instead of `plain`, which it is to equal.
    """

    do: "Callable[[Step, Sequence[Part], Tensor], None]"

    def __init__(
        self,
        runs: Sequence[RunConfig],
        model: Model,
        members: Members,
        settings: Settings,
        known_tokens: Tensor | None = None,
    ) -> None:
        self._members, self._settings, self.do = members, settings, Step.plain
        self._clock = torch.zeros(2, dtype=torch.int64, device=members.active.device)
        trained = list(members.arena.trained())
        self.gradients = Gradients(runs, model, trained, settings, known_tokens)

    def start(self, stage: Stage, in_stage: int) -> None:
        """Set the clock: in_stage steps of this stage are done."""
        self._clock.copy_(torch.tensor([stage.start + in_stage, in_stage]))

    @property
    def in_stage(self) -> Tensor:
        """Steps of the stage that are done, int64 [], on the device."""
        return self._clock[1]

    def __call__(self, parts: Sequence[Part], lr: Tensor) -> None:
        """Train on the parts; lr: [K]."""
        self.do(self, parts, lr)

    def plain(self, parts: Sequence[Part], lr: Tensor) -> None:
        """Train on the parts, operation by operation."""
        members, settings = self._members, self._settings
        found = self.gradients.find(members.arena.params, parts, self._clock[0])
        members.note(found.loss, found.norm, settings.divergence_loss, self._clock[0])
        lr = lr.float()
        hyper = AdamWHyper(
            lr=lr,
            weight_decay=settings.weight_decay,
            beta1=settings.beta1,
            beta2=settings.beta2,
            eps=settings.eps,
            scale=(settings.clip / found.norm).clamp(max=1.0),
            step=(self._clock[1] + 1).to(lr.dtype).expand(lr.shape),
        )
        parameters, first, second = members.arena.rows()
        gradients = [g.flatten(1) for g in found.gradients]
        with torch.no_grad():
            adamw_step(parameters, gradients, first, second, hyper, members.active)
        self._clock.add_(1)
