"""One layer that recalls facts: attention at the relation, then a ReLU MLP (arXiv 2605.12426).

K members · B sequences · T tokens · L wanted tokens · A subjects · C relations · D width · F MLP

With x the tokens' embeddings plus positions, at a wanted token t:
    h = [x_t +] sum_i softmax_i(x_t Wq (x_i Wk)' / sqrt(D) [+ bias_ti]) x_i Wv Wo,   i <= t
    y = relu(h W1 + b1) W2 + b2 [+ h]
and the answers are scored by y A'. Wq Wk' and Wv Wo are multiplied first, so no key or value is
made per token. Of a subject and a relation the softmax is a sigmoid of the gap of two scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geomem.models.layers import linear, lookup
from geomem.models.parameters import Parameter
from geomem.models.segments import Dropout, Pairs, Segment
from geomem.models.starts import Constant, Normal, Orthogonal, Start


@dataclass(frozen=True)
class Recall:
    """Structure of the stack. Tokens are the subjects, then the relations.

    Answers have a table of their own, `unembedding`, or with `tie` that of the subjects.
    """

    subjects: int
    relations: int
    answers: int
    context: int
    width: int
    mlp_width: int
    tie: bool
    attention_start: str
    attention_bias: bool
    token_residual: bool
    mlp_residual: bool
    freeze_subjects: bool
    freeze_relations: bool
    freeze_attributes: bool

    def parameters(self) -> dict[str, Parameter]:
        """See `Model.parameters`."""
        D, T = self.width, self.context
        found = {
            "embedding": self._table(self.subjects, "subject_std", self.freeze_subjects),
            "relations": self._table(self.relations, "relation_std", self.freeze_relations),
        }
        if not self.tie:
            found["unembedding"] = self._table(
                self.answers, "attribute_std", self.freeze_attributes
            )
        found["positions"] = Parameter((T, D), Normal("position_std", D**-0.5))
        if self.attention_bias:
            found["attention_bias"] = Parameter((T, T), Constant(0.0))
        return found | self._attention() | self._mlp()

    def _table(self, rows: int, std: str, freeze: bool) -> Parameter:
        return Parameter((rows, self.width), Normal(std), trainable=not freeze)

    def _attention(self) -> dict[str, Parameter]:
        D, unit = self.width, self.width**-0.5
        mixing: Start = Orthogonal(D) if self.attention_start == "orthogonal" else Normal(1.0, unit)
        starts = {
            "query": Normal("query_std", unit),
            "key": Normal(1.0, unit),
            "value": mixing,
            "output": mixing,
        }
        return {name: Parameter((D, D), start) for name, start in starts.items()}

    def _mlp(self) -> dict[str, Parameter]:
        D, F = self.width, self.mlp_width
        return {
            "up.weight": Parameter((D, F), Normal((2 / D) ** 0.5), product=True),
            "up.bias": Parameter((F,), Constant(0.0)),
            "down.weight": Parameter((F, D), Normal(F**-0.5), product=True),
            "down.bias": Parameter((D,), Constant(0.0)),
        }

    def hidden(
        self, params: Mapping[str, Tensor], segments: Sequence[Segment], dropout: Dropout | None
    ) -> Tensor:
        """See `Model.hidden`. Prefixes have to be empty."""
        found = [self._segment(params, segment) for segment in segments]
        return torch.cat(found, 1) if len(found) > 1 else found[0]

    def _segment(self, params: Mapping[str, Tensor], segment: Segment) -> Tensor:
        assert segment.prefix.shape[1] == 0
        if isinstance(segment, Pairs):
            h = self._attend_pairs(params, segment)
        else:
            h = self._attend_sequences(params, segment)
        return self._select(params, h.flatten(1, 2))

    def _attend_pairs(self, params: Mapping[str, Tensor], segment: Pairs) -> Tensor:
        """Return h [K, C A, 1, D]."""
        positions = params["positions"]
        s = lookup(params["embedding"], segment.first) + positions[:, :1]
        r = lookup(params["relations"], segment.second - self.subjects) + positions[:, 1:2]
        query, mixing = _products(params)
        q = torch.bmm(r, query)
        gap = torch.baddbmm(-(q * r).sum(2, keepdim=True), q, s.mT)
        if self.attention_bias:
            bias = params["attention_bias"]
            gap = gap + (bias[:, 1, 0] - bias[:, 1, 1])[:, None, None]
        from_s, from_r = torch.bmm(s, mixing)[:, None], torch.bmm(r, mixing)[:, :, None]
        base = from_r + r[:, :, None] if self.token_residual else from_r
        h = torch.addcmul(base, torch.sigmoid(gap)[..., None], from_s - from_r)
        return h.flatten(1, 2)[:, :, None]

    def _attend_sequences(self, params: Mapping[str, Tensor], segment: Segment) -> Tensor:
        """Return h [K, B, L, D]."""
        K, B, T = segment.tokens.shape
        first = T - (segment.wanted or T)
        table = torch.cat([params["embedding"], params["relations"]], 1)
        x = lookup(table, segment.tokens.flatten(1)).view(K, B, T, self.width)
        x = x + params["positions"][:, None, :T]
        query, mixing = _products(params)
        wanted = x[:, :, first:]
        scores = torch.bmm(wanted.flatten(1, 2), query).view(wanted.shape) @ x.mT
        if self.attention_bias:
            scores = scores + params["attention_bias"][:, None, first:T, :T]
        later = torch.ones(T - first, T, dtype=torch.bool, device=x.device).triu(first + 1)
        mixed = scores.masked_fill(later, -torch.inf).softmax(3) @ x
        h = torch.bmm(mixed.flatten(1, 2), mixing).view(wanted.shape)
        return h + wanted if self.token_residual else h

    def _select(self, params: Mapping[str, Tensor], h: Tensor) -> Tensor:
        up = linear(h, params["up.weight"], params["up.bias"])
        y = linear(torch.relu(up), params["down.weight"], params["down.bias"])
        return y + h if self.mlp_residual else y


def _products(params: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Wq Wk' / sqrt(D), and Wv Wo, [K, D, D]."""
    query = torch.bmm(params["query"], params["key"].mT) * params["query"].shape[2] ** -0.5
    return query, torch.bmm(params["value"], params["output"])
