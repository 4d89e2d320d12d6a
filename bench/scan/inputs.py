"""Arguments of the scan, and its results in fp64.

K members · B sequences · T positions · C channels · S states per channel
"""

from typing import NamedTuple

import torch
from torch import Tensor

from geomem.bench.ceilings import dtype_of
from geomem.bench.variants import Point
from geomem.kernels import selective_scan

CHUNK_BYTES = {"cuda": 24 << 30, "cpu": 1 << 30}  # of the states of a chunk and their gradients
STATE_COPIES = 6  # tensors of [K, B, T, C, S] that autograd keeps of the reference
OF_SEQUENCES = ("u", "delta", "b", "c", "z")  # the other gradients are sums over the sequences


class ScanInputs(NamedTuple):
    """u, delta, z, dy: [K,B,T,C]; b, c: [K,B,T,S]; a: [K,C,S]; d, delta_bias: [K,C].

    All but dy, the gradient of y, ask for gradients.
    """

    u: Tensor
    delta: Tensor
    a: Tensor
    b: Tensor
    c: Tensor
    d: Tensor
    z: Tensor
    delta_bias: Tensor
    dy: Tensor


LEAVES = ScanInputs._fields[:-1]


def make_inputs(point: Point, device: str, seed: int) -> ScanInputs:
    """Draw arguments as Mamba has them at its start: a = -1 … -S, steps of 0.001 to 0.1."""
    K, B, T, C, S = point.of("KBTCS")
    generator = torch.Generator(device).manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device)

    u, z, dy = (normal(K, B, T, C).to(dtype_of(device)) for _ in range(3))
    delta = normal(K, B, T, C).mul_(0.5).to(dtype_of(device))
    b, c = (normal(K, B, T, S).to(dtype_of(device)) for _ in range(2))
    a = -torch.arange(1.0, S + 1, device=device).expand(K, C, S).contiguous()
    steps = torch.empty(K, C, device=device).uniform_(-6.9, -2.3, generator=generator).exp_()
    return asking(ScanInputs(u, delta, a, b, c, normal(K, C), z, steps.expm1().log(), dy))


def asking(inputs: ScanInputs) -> ScanInputs:
    """Make every leaf ask for gradients."""
    for leaf in leaves(inputs):
        leaf.requires_grad_()
    return inputs


def leaves(inputs: ScanInputs) -> tuple[Tensor, ...]:
    """Return the tensors that gradients are taken of, in the order of LEAVES."""
    return tuple(inputs[:-1])


def truth(inputs: ScanInputs) -> dict[str, Tensor]:
    """Return y and the gradients of every leaf in fp64, by chunks of sequences."""
    (K, B, T, C), S = inputs.u.shape, inputs.a.shape[2]
    each = K * T * C * S * 8 * STATE_COPIES
    step = max(1, CHUNK_BYTES[inputs.u.device.type] // each)
    parts = [_truth_of_sequences(inputs, slice(n, n + step)) for n in range(0, B, step)]
    found = {}
    for name in parts[0]:
        pieces = [part[name] for part in parts]
        own = name == "y" or name.removeprefix("d_") in OF_SEQUENCES
        found[name] = torch.cat(pieces, 1) if own else torch.stack(pieces).sum(0)
    return found


def _truth_of_sequences(inputs: ScanInputs, part: slice) -> dict[str, Tensor]:
    own = (*OF_SEQUENCES, "dy")
    named = zip(ScanInputs._fields, (t.detach() for t in inputs), strict=True)
    chunk = ScanInputs._make((t[:, part] if n in own else t).double() for n, t in named)
    y = run_scan(asking(chunk), "reference")
    grads = torch.autograd.grad(y, leaves(chunk), chunk.dy)
    return {"y": y.detach()} | {f"d_{n}": g for n, g in zip(LEAVES, grads, strict=True)}


def run_scan(inputs: ScanInputs, impl: str) -> Tensor:
    """Call our op; last states are not asked for."""
    i = inputs
    result = selective_scan(
        *(i.u, i.delta, i.a, i.b, i.c),
        d=i.d,
        z=i.z,
        delta_bias=i.delta_bias,
        last_state=False,
        impl=impl,
    )
    return result.y


def channels_first(inputs: ScanInputs) -> ScanInputs:
    """Lay the tensors of sequences out with positions last, in the same shapes: a peer's order."""
    own = (*OF_SEQUENCES, "dy")
    named = zip(ScanInputs._fields, (t.detach() for t in inputs), strict=True)
    moved = (t.transpose(2, 3).contiguous().transpose(2, 3) if n in own else t for n, t in named)
    return asking(ScanInputs._make(moved))


def members(inputs: ScanInputs) -> list[ScanInputs]:
    """Return stacks of one member each, with leaves of their own."""
    return [
        asking(ScanInputs._make(t.detach()[k : k + 1] for t in inputs))
        for k in range(inputs.u.shape[0])
    ]
