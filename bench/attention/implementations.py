"""The attention of geomem and of others: AttentionInputs in, the result [K,B,T,H,D] out.

The others know a prefix only as keys of every sequence, and take fewer than 65 536 sequences at a
time; joining and dividing them, as our op does for them, is part of their time.
"""

from collections.abc import Callable

from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from geomem.bench.attention.inputs import AttentionInputs, run
from geomem.bench.peers import compiled, why_missing
from geomem.bench.variants import Point, Variant

BACKENDS = {
    "cpu": {"math": SDPBackend.MATH, "flash": SDPBackend.FLASH_ATTENTION},
    "cuda": {
        "math": SDPBackend.MATH,
        "efficient": SDPBackend.EFFICIENT_ATTENTION,
        "flash": SDPBackend.FLASH_ATTENTION,
        "cuDNN": SDPBackend.CUDNN_ATTENTION,
    },
}


def geomem(impl: str) -> Callable[[AttentionInputs], Tensor]:
    """Our op with one of its implementations."""
    return lambda inputs: run(inputs, impl)


def by_backend(backend: SDPBackend) -> Callable[[AttentionInputs], Tensor]:
    """PyTorch's own, held to one of its backends."""

    def attend(inputs: AttentionInputs) -> Tensor:
        with sdpa_kernel(backend):
            return run(inputs, "sdpa")

    return attend


def all_variants(point: Point, device: str, smoke: bool) -> list[Variant]:
    """Return every variant of attention; ours first."""
    peers = [Variant(f"SDPA {name}", by_backend(b)) for name, b in BACKENDS[device].items()]
    ours = [Variant("geomem", geomem("auto")), Variant("geomem reference", geomem("reference"))]
    if device == "cuda":
        ours.append(Variant("geomem eager", geomem("eager")))
    return [*ours, *peers, _flash(device), _compiled(smoke)]


def _flash(device: str) -> Variant:
    if missing := why_missing("flash_attn", device, needs_cuda=True):
        return Variant("flash-attn", missing=missing)
    return Variant("flash-attn", geomem("flash"))


def _compiled(smoke: bool) -> Variant:
    name = "reference, torch.compile"
    if smoke:
        return Variant(name, missing="left out of the smoke size")
    return Variant(name, compiled(geomem("reference")), compiles=True)
