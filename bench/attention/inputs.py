"""Arguments of attention, and its results in fp64.

K members · B sequences · T positions · P positions of the prefix · H heads · D width of a head
"""

from typing import NamedTuple

import torch
from torch import Tensor

from geomem.bench.ceilings import dtype_of
from geomem.bench.variants import Point
from geomem.kernels import short_attention

CHUNK_BYTES = {"cuda": 16 << 30, "cpu": 1 << 30}  # of what the truth of some sequences holds
COPIES = {"rows": 16, "scores": 6}  # tensors that autograd keeps of the reference, about
# How far scores lie apart: as at the start of training, and where one key takes nearly all.
REGIMES = {"even": 1.0, "peaked": 30.0}


class AttentionInputs(NamedTuple):
    """q, k, v: views [K,B,T,H,D] of one packed projection; prefix_k, prefix_v: [K,P,H,D] or None.

    All but do, the gradient of the result, ask for gradients.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    prefix_k: Tensor | None
    prefix_v: Tensor | None
    do: Tensor


def make_inputs(point: Point, device: str, regime: str, seed: int) -> AttentionInputs:
    """Draw queries, keys and values."""
    K, B, T, P, H, D = point.of("KBTPHD")
    generator = torch.Generator(device).manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        drawn = torch.randn(shape, generator=generator, device=device)
        return drawn.to(dtype_of(device))

    q, k, v = normal(K, B * T, 3, H, D).unflatten(1, (B, T)).unbind(3)
    q.mul_(REGIMES[regime])
    prefix_k, prefix_v = normal(2, K, P, H, D).unbind() if P else (None, None)
    return asking(AttentionInputs(q, k, v, prefix_k, prefix_v, normal(K, B, T, H, D)))


def asking(inputs: AttentionInputs) -> AttentionInputs:
    """Make leaves that ask for gradients."""
    made = [None if t is None else t.detach().requires_grad_() for t in inputs[:-1]]
    return AttentionInputs._make([*made, inputs.do])


def leaves(inputs: AttentionInputs) -> dict[str, Tensor]:
    """Return the tensors that gradients are taken of, by name."""
    named = zip(AttentionInputs._fields[:-1], inputs[:-1], strict=True)
    return {name: t for name, t in named if t is not None}


def truth(inputs: AttentionInputs) -> dict[str, Tensor]:
    """Return the result and the gradients of every leaf in fp64, by chunks of sequences."""
    (K, B, T, H, D), P = inputs.q.shape, 0
    if inputs.prefix_k is not None:
        P = inputs.prefix_k.shape[1]
    each = 8 * K * T * H * (COPIES["rows"] * D + COPIES["scores"] * (P + T))
    step = max(1, CHUNK_BYTES[inputs.q.device.type] // each)
    parts = [_truth_of_sequences(inputs, slice(b, b + step)) for b in range(0, B, step)]
    found = {}
    for name in parts[0]:
        pieces = [part[name] for part in parts]
        summed = name.startswith("d_prefix")
        found[name] = torch.stack(pieces).sum(0) if summed else torch.cat(pieces, 1)
    return found


def _truth_of_sequences(inputs: AttentionInputs, part: slice) -> dict[str, Tensor]:
    def double(t: Tensor | None, shared: bool) -> Tensor | None:
        return None if t is None else (t if shared else t[:, part]).detach().double()

    named = inputs._asdict().items()
    chunk = asking(AttentionInputs._make(double(t, "prefix" in name) for name, t in named))
    o = run(chunk, "reference")
    grads = torch.autograd.grad(o, list(leaves(chunk).values()), chunk.do, materialize_grads=True)
    names = (f"d_{name}" for name in leaves(chunk))
    return {"o": o.detach()} | dict(zip(names, grads, strict=True))


def run(inputs: AttentionInputs, impl: str) -> Tensor:
    """Call our op."""
    return short_attention(*inputs[:-1], impl=impl)
