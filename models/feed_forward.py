"""Embedding, square maps, unembedding: the smallest model that can memorise edges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geomem.models.layers import gelu, linear, lookup
from geomem.models.parameters import Parameter, token_tables
from geomem.models.segments import Dropout, Segment
from geomem.models.starts import Normal


@dataclass(frozen=True)
class FeedForward:
    """Structure of the stack: logit(v|u) = e_v W_L … W_1 e_u, with an optional GELU between."""

    vocab: int
    layers: int
    width: int
    activation: str
    tie: bool
    freeze_embeddings: bool

    def parameters(self) -> dict[str, Parameter]:
        """See `Model.parameters`."""
        found = token_tables(self.vocab, self.width, self.tie, self.freeze_embeddings)
        square = Parameter((self.width, self.width), Normal("weight_std"), product=True)
        return found | {f"map{i}": square for i in range(self.layers)}

    def hidden(
        self, params: Mapping[str, Tensor], segments: Sequence[Segment], dropout: Dropout | None
    ) -> Tensor:
        """See `Model.hidden`; a token's state depends on that token alone, so others are idle."""
        tokens = [segment.tokens[:, :, -segment.wanted :] for segment in segments]
        drop = dropout or (lambda x: x)
        x = drop(lookup(params["embedding"], torch.cat([t.flatten(1) for t in tokens], 1)))
        for i in range(self.layers):
            if i and self.activation == "gelu":
                x = gelu(x)
            x = drop(linear(x, params[f"map{i}"], None))
        return x
