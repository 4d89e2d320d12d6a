"""Pre-norm GPT as a stack; every part of a block can be switched off (arXiv 2510.26745).

K members · B sequences · T tokens · P prefix tokens · R rows of all segments · D width · H heads
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geomem.kernels import packed_attention
from geomem.models.layers import Product, gelu, leave, lookup, pre_norm, product
from geomem.models.parameters import Parameter, linear_parameters, token_tables
from geomem.models.rows import Rows
from geomem.models.segments import Dropout, Segment
from geomem.models.starts import Constant, Normal


@dataclass(frozen=True)
class Transformer:
    """Structure of the stack; `context` is the longest prefix plus tokens."""

    vocab: int
    context: int
    layers: int
    width: int
    heads: int
    mlp_ratio: int
    positions: str
    tie: bool
    freeze_embeddings: bool
    attention: bool
    residual: bool
    norm: bool

    def parameters(self) -> dict[str, Parameter]:
        """See `Model.parameters`."""
        D, F4 = self.width, self.width * self.mlp_ratio
        found = token_tables(self.vocab, D, self.tie, self.freeze_embeddings)
        if self.positions == "learned":
            found["positions"] = Parameter((self.context, D), Normal("position_std"))
        elif self.positions == "sinusoidal":
            found["position_scale"] = Parameter((1,), Constant("position_std"), trainable=False)
        for i in range(self.layers):
            found |= self._block_parameters(f"block{i}.", D, F4)
        if self.norm:
            found |= _norm_parameters("final_norm.", D)
        return found

    def _block_parameters(self, at: str, D: int, F4: int) -> dict[str, Parameter]:
        found: dict[str, Parameter] = {}
        if self.attention:
            if self.norm:
                found |= _norm_parameters(f"{at}norm1.", D)
            found |= linear_parameters(f"{at}qkv.", D, 3 * D)
            found |= linear_parameters(f"{at}out.", D, D)
        if self.norm:
            found |= _norm_parameters(f"{at}norm2.", D)
        found |= linear_parameters(f"{at}up.", D, F4)
        found |= linear_parameters(f"{at}down.", F4, D)
        return found

    def hidden(
        self, params: Mapping[str, Tensor], segments: Sequence[Segment], dropout: Dropout | None
    ) -> Tensor:
        """See `Model.hidden`; needs no more rows than one per prefix token and one per token.

        What no token after it looks at, and nobody wants, is left out: of the last block it needs
        keys and values alone, and without attention nothing.
        """
        rows = Rows(segments, prefixes=self.attention)
        x = self._add_positions(lookup(params["embedding"], rows.tokens), params, rows)
        if dropout is not None:
            x = dropout(x)
        if not self.attention:
            x = rows.wanted(x)
        y: Product | None = None
        for i in range(self.layers):
            x, y = self._block(x, y, params, i, rows, dropout)
        products = params["block0.up.weight"].dtype
        return pre_norm(x, y, params, "final_norm.", norm=self.norm, dtype=products)[1]

    def _add_positions(self, x: Tensor, params: Mapping[str, Tensor], rows: Rows) -> Tensor:
        if self.positions == "learned":
            return x + rows.at_positions(params["positions"])
        if self.positions == "sinusoidal":
            waves = rows.at_positions(sinusoids(self.context, self.width, x)[None])
            return x + params["position_scale"][:, :, None] * waves
        return x

    def _block(
        self,
        x: Tensor,
        y: Product | None,
        params: Mapping[str, Tensor],
        block: int,
        rows: Rows,
        dropout: Dropout | None,
    ) -> tuple[Tensor, Product | None]:
        """Return the stream and what is still to be added to it, as it takes them."""
        at = f"block{block}."
        products = params[f"{at}up.weight"].dtype
        if self.attention:
            x, h = pre_norm(x, y, params, f"{at}norm1.", norm=self.norm, dtype=products)
            h = self._attend(h, params, at, rows)
            if block == self.layers - 1:
                x, h = rows.wanted(x), rows.wanted(h)
            y = _product(h, params, f"{at}out.")
            x, y = leave(x, y, dropout, residual=self.residual)
        x, h = pre_norm(x, y, params, f"{at}norm2.", norm=self.norm, dtype=products)
        h = gelu(*_product(h, params, f"{at}up."))
        y = _product(h, params, f"{at}down.")
        return leave(x, y, dropout, residual=self.residual)

    def _attend(self, x: Tensor, params: Mapping[str, Tensor], at: str, rows: Rows) -> Tensor:
        qkv, bias = _product(x, params, f"{at}qkv.")
        heads = (3, self.heads, -1)
        bias = None if bias is None else bias.unflatten(1, heads)
        return packed_attention(qkv.unflatten(2, heads), rows.blocks, bias=bias).flatten(2)


def sinusoids(context: int, width: int, like: Tensor) -> Tensor:
    """Positions of "Attention is all you need", [context, width], amplitude 1."""
    place = torch.arange(context, device=like.device, dtype=like.dtype)[:, None]
    half = torch.arange((width + 1) // 2, device=like.device, dtype=like.dtype)
    angle = place * 10_000.0 ** (-2 * half / width)
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :width]


def _norm_parameters(at: str, width: int) -> dict[str, Parameter]:
    return {
        f"{at}weight": Parameter((width,), Constant(1.0)),
        f"{at}bias": Parameter((width,), Constant(0.0)),
    }


def _product(x: Tensor, params: Mapping[str, Tensor], at: str) -> Product:
    return product(x, params[f"{at}weight"], params[f"{at}bias"])
