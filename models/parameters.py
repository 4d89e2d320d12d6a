"""What a model says of its parameters, and how they are drawn.

A parameter of a stack is [K, *shape]. Its values depend on the member's seed, the parameter's
name and the element's index alone, so a member starts the same in every stack.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import torch
from torch import Tensor

from geomem.kernels.streams import normal, stream_keys
from geomem.models.segments import Dropout, Segment

DRAW = 1 << 22  # elements drawn at a time, in float64


@dataclass(frozen=True)
class Parameter:
    """Shape of one member's parameter and where it starts.

    A normal start names its per-member deviation in `std` ("token_std", "weight_std", …); a
    constant start gives a number, or the name of a per-member one.
    """

    shape: tuple[int, ...]
    std: str | None = None
    constant: float | str = 0.0
    trainable: bool = True


class Model(Protocol):
    """A stacked model: what its parameters are, and tokens in, hidden states out."""

    def parameters(self) -> dict[str, Parameter]:
        """Names and shapes of the parameters, in the order in which they are stored."""
        ...

    def hidden(
        self, params: Mapping[str, Tensor], segments: Sequence[Segment], dropout: Dropout | None
    ) -> list[Tensor]:
        """Return the hidden states of each segment's tokens, [K, B, T, D]."""
        ...


def output_matrix(params: Mapping[str, Tensor]) -> Tensor:
    """Return the matrix that scores tokens, [K, V, D]: the embeddings themselves if tied."""
    return params.get("unembedding", params["embedding"])


def draw(
    name: str, parameter: Parameter, seeds: Sequence[int], settings: Mapping[str, Tensor]
) -> Tensor:
    """Return the start of a parameter, float32 [K, *shape].

    settings: per-member numbers, float64 [K], under the names that parameters use.
    """
    K, count = len(seeds), prod(parameter.shape)
    if parameter.std is None:
        start = parameter.constant
        value = settings[start] if isinstance(start, str) else torch.full((K,), start).double()
        return value.float().view(-1, *[1] * len(parameter.shape)).repeat(1, *parameter.shape)
    keys, std = stream_keys(seeds, f"parameter {name}"), settings[parameter.std]
    values = torch.empty(K, count)
    step = max(1, DRAW // K)
    for first in range(0, count, step):
        counters = torch.arange(first, min(count, first + step))
        values[:, first : first + step] = normal(keys, counters) * std[:, None]
    return values.view(K, *parameter.shape)
