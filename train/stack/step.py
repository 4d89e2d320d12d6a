"""One optimiser step of a whole stack, without waiting for the device."""

from collections.abc import Sequence

import torch
from torch import Tensor

from geomem.kernels import AdamWHyper, adamw_step
from geomem.kernels.streams import stream_keys
from geomem.models import Model
from geomem.train.config.run import RunConfig
from geomem.train.stack.batches import Part, predict
from geomem.train.stack.members import Settings
from geomem.train.stack.sampling import DropoutStream
from geomem.train.stack.state import State


class Step:
    """Forward, loss, backward, clipping and AdamW for every active member.

    What changes from step to step stands on the device, steps done (`clock`: of the run, of the
    stage) included, so that a step can be recorded once and replayed.
    """

    def __init__(
        self,
        runs: Sequence[RunConfig],
        model: Model,
        state: State,
        settings: Settings,
        known_tokens: Tensor | None = None,
    ) -> None:
        self._model, self._state, self._settings = model, state, settings
        self._known_tokens = known_tokens
        self._clock = torch.zeros(2, dtype=torch.int64, device=state.active.device)
        # The parameters stay in float32; what a product takes of them is a copy for the step.
        self._products = torch.bfloat16 if runs[0].train.precision == "bf16" else None
        self._weights = [name for name, p in model.parameters().items() if p.product]
        self._dropout_keys = None
        if any(getattr(run.model, "dropout", 0.0) for run in runs):
            seeds = [run.seed for run in runs]
            self._dropout_keys = stream_keys(seeds, "dropout", state.active.device)

    def start(self, in_stage: int) -> None:
        """Set the clock: in_stage steps of this stage are done."""
        self._clock.copy_(torch.tensor([self._state.step, in_stage]))

    def each(self, batches: Sequence[Sequence[Part]], rates: Tensor) -> None:
        """Do one step per batch; rates: [steps, K]."""
        for parts, lr in zip(batches, rates, strict=True):
            self(parts, lr)

    def __call__(self, parts: Sequence[Part], lr: Tensor) -> None:
        """Train on the parts; lr: [K]."""
        loss = self._gradients(parts)
        norm = self._state.arena.gradient_norm()
        self._state.note(loss, norm, self._settings.divergence_loss, self._clock[0])
        self._update(lr.float(), norm)
        self._clock += 1

    def _gradients(self, parts: Sequence[Part]) -> Tensor:
        state, dropout = self._state, None
        if self._dropout_keys is not None:
            dropout = DropoutStream(self._dropout_keys, self._settings.dropout, self._clock[0])
        params = state.arena.params
        if self._products is not None:
            half = {name: params[name].to(self._products) for name in self._weights}
            params = params | half
        known, products = self._known_tokens, self._products
        loss = predict(
            self._model, params, parts, dropout, products=products, vocab_sizes=known
        ).loss
        # The sum couples nothing: each member's loss depends on its own parameters alone.
        state.arena.take_gradients(loss.sum())
        return loss.detach()

    def _update(self, lr: Tensor, norm: Tensor) -> None:
        arena, settings = self._state.arena, self._settings
        scale = (settings.clip / norm).clamp(max=1.0)
        hyper = AdamWHyper(
            lr=lr,
            weight_decay=settings.weight_decay,
            beta1=settings.beta1,
            beta2=settings.beta2,
            eps=settings.eps,
            scale=scale,
            step=(self._clock[1] + 1).to(lr.dtype).expand(lr.shape),
        )
        with torch.no_grad():
            adamw_step(
                _rows(arena.trained()),
                _rows(arena.gradients),
                _rows(arena.first),
                _rows(arena.second),
                hyper,
                self._state.active,
            )


def _rows(tensors: dict[str, Tensor]) -> list[Tensor]:
    return [t.flatten(1) for t in tensors.values()]
