"""A model whose chains of pointwise operations PyTorch's compiler fuses."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from geomem.models import Dropout, Model, Parameter, Segment


class Compiled:
    """See `Model`; the same parameters, and the same hidden states but for rounding."""

    def __init__(self, model: Model) -> None:
        self._model = model
        # One member more or less is another program; guessed shapes would make it a slower one.
        self._hidden = torch.compile(model.hidden, dynamic=False)

    def parameters(self) -> dict[str, Parameter]:
        """See `Model.parameters`."""
        return self._model.parameters()

    def hidden(
        self, params: Mapping[str, Tensor], segments: Sequence[Segment], dropout: Dropout | None
    ) -> list[Tensor]:
        """See `Model.hidden`."""
        found: list[Tensor] = self._hidden(params, segments, dropout)
        return found
