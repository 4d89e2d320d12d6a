"""What a model says of its parameters, and how they are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import torch
from torch import Tensor

from geomem.kernels.streams import stream_keys
from geomem.models.segments import Dropout, Segment
from geomem.models.starts import Constant, Normal, Start

# Elements drawn at a time, in float64: on a CPU as many as fit the cache.
AT_ONCE = {"cpu": 1 << 16, "cuda": 1 << 24}


@dataclass(frozen=True)
class Parameter:
    """Shape of one member's parameter, and where it starts.

    product: whether it is the weight of a `linear`, which may be taken in a shorter type.
    """

    shape: tuple[int, ...]
    start: Start
    trainable: bool = True
    dtype: torch.dtype = torch.float32
    product: bool = False


class Parametric(Protocol):
    """Anything with a stack of parameters."""

    def parameters(self) -> dict[str, Parameter]:
        """Names and shapes of the parameters, in the order in which they are stored."""
        ...


class Model(Parametric, Protocol):
    """A stacked model: tokens in, hidden states out."""

    def hidden(
        self, params: Mapping[str, Tensor], segments: Sequence[Segment], dropout: Dropout | None
    ) -> Tensor:
        """Return the hidden states [K, W, D] of all wanted tokens: by segment, sequence, place."""
        ...


def token_tables(vocab: int, width: int, tie: bool, freeze: bool) -> dict[str, Parameter]:
    """Return the embeddings [V, D] and, if untied, the output matrix [V, D]."""
    table = Parameter((vocab, width), Normal("token_std"), trainable=not freeze)
    return {"embedding": table} if tie else {"embedding": table, "unembedding": table}


def linear_parameters(at: str, inputs: int, outputs: int) -> dict[str, Parameter]:
    """Return weight [I, O] and bias [O] of a linear map."""
    return {
        f"{at}weight": Parameter((inputs, outputs), Normal("weight_std"), product=True),
        f"{at}bias": Parameter((outputs,), Constant(0.0)),
    }


def output_matrix(params: Mapping[str, Tensor]) -> Tensor:
    """Return the matrix that scores tokens, [K, V, D]: the embeddings themselves if tied."""
    return params.get("unembedding", params["embedding"])


def draw(
    name: str,
    parameter: Parameter,
    seeds: Sequence[int],
    settings: Mapping[str, Tensor],
    device: torch.device | str = "cpu",
) -> Tensor:
    """Return the start of a parameter, [K, *shape], the same in every stack.

    settings: per-member numbers, float64 [K] on the device, under the names that starts refer to.
    """
    device, start = torch.device(device), parameter.start
    K, count = len(seeds), prod(parameter.shape)
    keys = stream_keys(seeds, f"parameter {name}", device)
    values = torch.empty(K, count, dtype=parameter.dtype, device=device)
    step = count if start.whole else max(1, AT_ONCE[device.type] // K)
    for first in range(0, count, step):
        counters = torch.arange(first, min(count, first + step), device=device)
        values[:, first : first + step] = start.values(keys, counters, settings)
    return values.view(K, *parameter.shape)
