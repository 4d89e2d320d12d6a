"""The loss of geomem and of others; each takes x, embedding and targets and returns mean losses.

A variant that loops takes one member, [N, D], [V, D] and [N]; the others take a stack.
"""

import inspect
from collections.abc import Callable
from math import ceil, prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from geomem.bench.peers import compiled, import_peer, why_missing
from geomem.bench.variants import Point, Variant
from geomem.kernels import linear_cross_entropy

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
MOST_REFERENCE_LOGITS = 1 << 28
ROWS = 2048  # rows per chunk of a tuned peer


def geomem(impl: str) -> Loss:
    """Our op with one of its implementations."""

    def loss(x: Tensor, embedding: Tensor, targets: Tensor) -> Tensor:
        return linear_cross_entropy(x, embedding, targets, impl=impl).loss

    return loss


def eager(x: Tensor, embedding: Tensor, targets: Tensor) -> Tensor:
    """The unfused equivalent, with all logits, in float from the logits on."""
    logits = torch.bmm(x, embedding.mT).float()
    rows = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return rows.view(targets.shape).mean(1)


def all_variants(point: Point, device: str, smoke: bool) -> list[Variant]:
    """Return every variant of the loss; ours first."""
    note = "one call per member" if point.sizes["K"] > 1 else ""
    ours = [Variant("geomem", geomem("auto"))]
    if device == "cuda":
        ours.append(_reference(point))
    plain, *chunked = _of_torch(note)
    liger, liger_tuned = _of_liger(point, device, note)
    # Defaults that cut a large vocabulary into thousands of chunks come last: they take seconds.
    quick = [Variant("eager", eager), plain, *_of_cce(device, note), liger_tuned]
    return [*ours, *quick, *reversed(chunked), liger, _compiled(smoke)]


def _reference(point: Point) -> Variant:
    name = "geomem reference"
    if prod(point.of("KNV")) > MOST_REFERENCE_LOGITS:
        return Variant(name, missing="its chunks suit a CPU's cache: thousands of them here")
    return Variant(name, geomem("reference"))


def _compiled(smoke: bool) -> Variant:
    if smoke:
        return Variant("torch.compile", missing="left out of the smoke size")
    return Variant("torch.compile", compiled(eager), compiles=True)


def _of_torch(note: str) -> list[Variant]:
    name = "torch linear_cross_entropy"
    names = (name, f"{name} chunked", f"{name} by {ROWS}")
    function: Any = getattr(F, "linear_cross_entropy", None)
    options: Any = getattr(torch.nn, "LinearCrossEntropyOptions", None)
    if function is None or options is None:
        missing = f"torch {torch.__version__} has no F.linear_cross_entropy with options"
        return [Variant(name, missing=missing) for name in names]
    chosen = (None, options(), options(batch_chunk_size=ROWS, chunking_method=None))

    def with_options(option: Any) -> Loss:
        return lambda x, e, t: function(x, e, t, options=option)

    pairs = zip(names, chosen, strict=True)
    return [Variant(name, with_options(o), loops=True, note=note) for name, o in pairs]


def _of_liger(point: Point, device: str, note: str) -> list[Variant]:
    names = ("Liger-Kernel", f"Liger-Kernel by {ROWS}")
    module = "liger_kernel.ops.fused_linear_cross_entropy"
    if missing := why_missing(module, device, needs_cuda=True):
        return [Variant(name, missing=missing) for name in names]
    function: Any = import_peer(module).LigerFusedLinearCrossEntropyFunction
    # Its chunk is N / ceil(V / (constant D)) rows, rounded up to a power of two.
    N, V, D = point.of("NVD")
    constant = max(1, ceil(V * min(ROWS, N) / (N * D)))

    def with_arguments(**given: Any) -> Loss:
        def loss(x: Tensor, e: Tensor, t: Tensor) -> Tensor:
            named = {"_input": x, "weight": e, "target": t, **given}
            found: Tensor = function.apply(*_arguments(function, named))[0]
            return found

        return loss

    tuned = Variant(names[1], missing="this release has no chunk_mem_const")
    if "chunk_mem_const" in inspect.signature(function.forward).parameters:
        tuned = _synchronising(names[1], with_arguments(chunk_mem_const=constant), note)
    return [_synchronising(names[0], with_arguments(), note), tuned]


def _arguments(function: Any, given: dict[str, Any]) -> list[Any]:
    """Arguments by position, as autograd functions want them, with the defaults of `forward`."""
    parameters = list(inspect.signature(function.forward).parameters.items())[1:]
    return [given.get(name, parameter.default) for name, parameter in parameters]


def _synchronising(name: str, function: Loss, note: str) -> Variant:
    """A peer that waits for the device inside a call, which a graph cannot hold."""
    return Variant(name, function, capturable=False, loops=True, note=note)


def _of_cce(device: str, note: str) -> list[Variant]:
    names = ("cut-cross-entropy", "cut-cross-entropy exact")
    if missing := why_missing("cut_cross_entropy", device, needs_cuda=True):
        return [Variant(name, missing=missing) for name in names]
    function: Any = import_peer("cut_cross_entropy").linear_cross_entropy
    return [
        _synchronising(names[0], function, note),
        _synchronising(names[1], lambda x, e, t: function(x, e, t, filter_eps=None), note),
    ]
