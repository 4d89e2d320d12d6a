"""Loss, gradients and their norm for every member of a stack: forward and backward."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from geomem.kernels import member_norm, ones_like_losses
from geomem.kernels.streams import stream_keys
from geomem.models import Model
from geomem.train.config.run import RunConfig
from geomem.train.stack.batches import Part, predict
from geomem.train.stack.members import Settings
from geomem.train.stack.products import in_type
from geomem.train.stack.sampling import DropoutStream


class Found(NamedTuple):
    """loss, norm (of a member's gradient): [W]; gradients: [W, *shape] each, of `trained`.

    Those of weights whose products are taken in a shorter type are of that type.
    """

    loss: Tensor
    gradients: Sequence[Tensor]
    norm: Tensor


class Gradients:
    """See `Found`; it reads tensors alone and changes nothing, so that it can be compiled.

    trained: names of the parameters that get gradients; known_tokens: see `Task.known_tokens`.
    """

    def __init__(
        self,
        runs: Sequence[RunConfig],
        model: Model,
        trained: Sequence[str],
        settings: Settings,
        known_tokens: Tensor | None = None,
    ) -> None:
        self._model, self._trained, self._rates = model, trained, settings.dropout
        self._known_tokens = known_tokens
        # The parameters stay in float32; what a product takes of them is a copy for the step.
        self._products = torch.bfloat16 if runs[0].train.precision == "bf16" else None
        self._in_products = [name for name, p in model.parameters().items() if p.product]
        self._dropout_keys = None
        if settings.drops:
            seeds = [run.seed for run in runs]
            self._dropout_keys = stream_keys(seeds, "dropout", settings.dropout.device)

    def find(self, params: dict[str, Tensor], parts: Sequence[Part], step: Tensor) -> Found:
        """Differentiate at parameters [W, *shape]; step: int64 [], steps of the run done before."""
        if self._products is not None:
            params = in_type(params, self._in_products, self._products)
        loss = self._loss(params, parts, step)
        leaves = [params[name] for name in self._trained]
        # Their sum couples nothing: each member's loss depends on its own parameters alone.
        # Parameters that no example touches get zeros.
        gradients = torch.autograd.grad(
            loss, leaves, ones_like_losses(loss), allow_unused=True, materialize_grads=True
        )
        norm = member_norm([g.flatten(1) for g in gradients])
        return Found(loss.detach(), gradients, norm)

    def _loss(self, params: dict[str, Tensor], parts: Sequence[Part], step: Tensor) -> Tensor:
        dropout = None
        if self._dropout_keys is not None:
            dropout = DropoutStream(self._dropout_keys, self._rates, step)
        known, products = self._known_tokens, self._products
        return predict(
            self._model, params, parts, dropout, products=products, vocab_sizes=known
        ).loss
