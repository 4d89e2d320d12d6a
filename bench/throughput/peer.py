"""A GPT as one writes it: one model, whole sequences, logits of every position.

B sequences · T tokens · D width · V vocabulary · H heads
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from geomem.models import Transformer

IGNORED = -100
LINEAR = ("qkv", "out", "up", "down")


class Block(nn.Module):
    """Attention and MLP, each behind a LayerNorm and added to its input."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, T, D] -> [B, T, D]."""
        B, T, D = x.shape
        qkv = self.qkv(self.norm1(x)).view(B, T, 3, self.heads, D // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(B, T, D))
        y: Tensor = x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))
        return y


class GPT(nn.Module):
    """The model that `Transformer` describes: pre-norm, learned positions, tied embeddings."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        D = model.width
        self.embedding = nn.Embedding(model.vocab, D)
        self.positions = nn.Embedding(model.context, D)
        sizes = (D, model.heads, D * model.mlp_ratio)
        self.blocks = nn.ModuleList(Block(*sizes) for _ in range(model.layers))
        self.final_norm = nn.LayerNorm(D)
        self.head = nn.Linear(D, model.vocab, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of labels [B, T], where they are not IGNORED, after tokens [B, T]."""
        place = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.embedding(tokens) + self.positions(place)
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.final_norm(x))
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)

    @torch.no_grad()
    def take(self, params: Mapping[str, Tensor]) -> None:
        """Copy one member's parameters, without the member axis, under the trainer's names."""
        own = dict(self.named_parameters())
        pairs = {_name(name): _turned(name, value) for name, value in params.items()}
        if pairs.keys() != own.keys():
            raise ValueError(f"other parameters than the trainer's: {pairs.keys() ^ own.keys()}")
        for name, value in pairs.items():
            own[name].copy_(value)


def _name(ours: str) -> str:
    if ours in ("embedding", "positions"):
        return f"{ours}.weight"
    first, _, rest = ours.partition(".")
    if first.startswith("block"):
        return f"blocks.{first.removeprefix('block')}.{rest}"
    return ours


def _turned(name: str, value: Tensor) -> Tensor:
    """The trainer's linear maps are [I, O], those of `nn.Linear` [O, I]."""
    parts = name.split(".")
    return value.T if parts[-2:-1] and parts[-2] in LINEAR and parts[-1] == "weight" else value
