"""Mamba-1 as a stack: residual pre-norm blocks of a gated selective scan (Gu & Dao 2023).

K members · B sequences · T tokens · R rows of all segments · D width · C channels · S states
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geomem.kernels import causal_conv1d, selective_scan
from geomem.models.layers import Product, leave, linear, lookup, pre_norm, product
from geomem.models.parameters import Parameter, token_tables
from geomem.models.rows import Rows
from geomem.models.segments import Dropout, Segment
from geomem.models.starts import Constant, LogStateIndex, Normal, StepSizeBias, Uniform


@dataclass(frozen=True)
class Mamba:
    """Structure of the stack. Without `residual` each block replaces its input."""

    vocab: int
    layers: int
    width: int
    state: int
    conv: int
    expand: int
    rank: int
    tie: bool
    freeze_embeddings: bool
    residual: bool
    norm: bool

    def parameters(self) -> dict[str, Parameter]:
        """See `Model.parameters`."""
        found = token_tables(self.vocab, self.width, self.tie, self.freeze_embeddings)
        for i in range(self.layers):
            found |= self._block_parameters(f"block{i}.")
        if self.norm:
            found["final_norm.weight"] = Parameter((self.width,), Constant(1.0))
        return found

    def _block_parameters(self, at: str) -> dict[str, Parameter]:
        D, S, C = self.width, self.state, self.width * self.expand
        weight = Normal("weight_std")
        found = {f"{at}norm.weight": Parameter((D,), Constant(1.0))} if self.norm else {}
        return found | {
            f"{at}in.weight": Parameter((D, 2 * C), weight, product=True),
            f"{at}conv.weight": Parameter((C, self.conv), Uniform(self.conv**-0.5)),
            f"{at}conv.bias": Parameter((C,), Constant(0.0)),
            f"{at}x.weight": Parameter((C, self.rank + 2 * S), weight, product=True),
            f"{at}dt.weight": Parameter((self.rank, C), Uniform(self.rank**-0.5), product=True),
            f"{at}dt.bias": Parameter((C,), StepSizeBias()),
            f"{at}A_log": Parameter((C, S), LogStateIndex(S)),
            f"{at}D": Parameter((C,), Constant(1.0)),
            f"{at}out.weight": Parameter((C, D), weight, product=True),
        }

    def hidden(
        self, params: Mapping[str, Tensor], segments: Sequence[Segment], dropout: Dropout | None
    ) -> Tensor:
        """See `Model.hidden`; a prefix is scanned once, its state handed to every sequence."""
        rows = Rows(segments)
        x = lookup(params["embedding"], rows.tokens)
        if dropout is not None:
            x = dropout(x)
        y: Product | None = None  # still to be added to x
        for i in range(self.layers):
            at = f"block{i}."
            products = params[f"{at}in.weight"].dtype
            x, h = pre_norm(x, y, params, f"{at}norm.", norm=self.norm, dtype=products)
            h = self._mix(h, params, at, rows)
            if i == self.layers - 1:
                x, h = rows.wanted(x), rows.wanted(h)
            y = product(h, params[f"{at}out.weight"], None)
            x, y = leave(x, y, dropout, residual=self.residual)
        products = params["block0.in.weight"].dtype
        return pre_norm(x, y, params, "final_norm.", norm=self.norm, dtype=products)[1]

    def _mix(self, x: Tensor, params: Mapping[str, Tensor], at: str, rows: Rows) -> Tensor:
        C, S = self.width * self.expand, self.state
        x, z = linear(x, params[f"{at}in.weight"], None).split([C, C], 2)
        u = self._convolve(x, params, at, rows)
        low = linear(u, params[f"{at}x.weight"], None)
        low, b, c = low.split([self.rank, S, S], 2)
        dt = linear(low, params[f"{at}dt.weight"], None)
        return self._scan((u, dt, b, c, z), params, at, rows)

    def _convolve(self, x: Tensor, params: Mapping[str, Tensor], at: str, rows: Rows) -> Tensor:
        weight, bias = params[f"{at}conv.weight"], params[f"{at}conv.bias"]
        before = self.conv - 1

        def run(steps: Tensor, initial: Tensor | None) -> Tensor:
            y: Tensor = causal_conv1d(steps, weight, bias, initial=initial)
            return y.flatten(1, 2)

        parts = []
        for prefix, tokens in rows.apart(x):
            initial = None
            if prefix is not None:
                parts.append(run(prefix, None))
                seen = prefix[:, :, -before:]
                initial = torch.nn.functional.pad(seen, (0, 0, before - seen.shape[2], 0))
            parts.append(run(tokens, initial))
        return torch.cat(parts, 1)

    def _scan(
        self, inputs: Sequence[Tensor], params: Mapping[str, Tensor], at: str, rows: Rows
    ) -> Tensor:
        """Scan u, dt, b, c, gated by z, each [K, R, ...]."""
        a = -torch.exp(params[f"{at}A_log"])
        d, bias = params[f"{at}D"], params[f"{at}dt.bias"]

        def run(
            block: Sequence[Tensor], state: Tensor | None, last_state: bool
        ) -> tuple[Tensor, Tensor]:
            u, dt, b, c, z = block
            return selective_scan(
                *(u, dt, a, b, c),
                d=d,
                z=z,
                delta_bias=bias,
                initial_state=state,
                last_state=last_state,
            )

        parts = []
        for segment in zip(*(rows.apart(x) for x in inputs), strict=True):
            state, prefixes = None, [prefix for prefix, _ in segment if prefix is not None]
            if prefixes:
                y, state = run(prefixes, None, last_state=True)
                parts.append(y.flatten(1, 2))
            tokens = [tokens for _, tokens in segment]
            parts.append(run(tokens, state, last_state=False)[0].flatten(1, 2))
        return torch.cat(parts, 1)
