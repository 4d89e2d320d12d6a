"""The loss as the benchmark sees it.

K members · N rows · V tokens · D width
"""

from collections.abc import Callable, Mapping
from math import prod

import torch
from torch import Tensor

from geomem.bench.ceilings import dtype_of
from geomem.bench.loss import inputs as arguments
from geomem.bench.loss.implementations import all_variants
from geomem.bench.loss.inputs import REGIMES, LossInputs
from geomem.bench.variants import Call, Point, Variant

GRID = {
    "cuda": (
        *((16384, 20001, 384, 1), (16384, 90001, 384, 1), (16384, 90001, 784, 1)),
        *((16384, 1_000_000, 384, 1), (4096, 1_000_000, 784, 1), (16384, 10_000, 128, 8)),
        *((1024, 4096, 64, 64), (64, 128, 128, 1024), (16, 32, 32, 4096)),
    ),
    # Sizes at which the trainer calls it on a CPU.
    "cpu": ((18, 26, 32, 64), (18, 26, 32, 256), (752, 1034, 64, 8), (1072, 20_010, 64, 1)),
}
SMOKE = ((18, 26, 32, 4), (40, 301, 16, 1))


class LinearCrossEntropyOp:
    """Forward and backward of the loss, as one pass: the gradients of both inputs."""

    name = "linear_cross_entropy"
    passes = ("both",)
    regimes = tuple(REGIMES)
    timed_regime = "half"

    def points(self, device: str, smoke: bool) -> list[Point]:
        """See `Op.points`."""
        grid = SMOKE if smoke else GRID[device]
        return [Point(dict(zip("NVDK", sizes, strict=True))) for sizes in grid]

    def variants(self, point: Point, device: str, smoke: bool) -> list[Variant]:
        """See `Op.variants`."""
        return all_variants(point, device, smoke)

    def inputs(self, point: Point, device: str, regime: str, seed: int) -> LossInputs:
        """See `Op.inputs`."""
        return arguments.make_inputs(point, device, regime, seed)

    def truth(self, point: Point, inputs: LossInputs) -> dict[str, Tensor]:
        """See `Op.truth`."""
        return arguments.truth(inputs)

    def results(self, variant: Variant, inputs: LossInputs) -> list[tuple[Tensor, ...]]:
        """See `Op.results`."""
        return [_gradients(variant, leaves) for leaves in _leaves(variant, inputs)]

    def named(self, variant: Variant, results: list[tuple[Tensor, ...]]) -> dict[str, Tensor]:
        """See `Op.named`."""
        columns = list(zip(*results, strict=True))
        joined = [torch.stack(c) for c in columns] if variant.loops else list(results[0])
        return dict(zip(("loss", "dx", "de"), joined, strict=True))

    def calls(self, variant: Variant, inputs: LossInputs) -> dict[str, Callable[[], Call]]:
        """See `Op.calls`."""

        def prepare() -> Call:
            members = _leaves(variant, inputs)
            return lambda: [_gradients(variant, leaves) for leaves in members]

        return {"both": prepare}

    def limit(self, device: str) -> float:
        """See `Op.limit`: rounded logits pass where p is near 1, a lost term does not."""
        return 0.05

    def figures(
        self, point: Point, at: str, seconds: float, device: str, ceilings: Mapping[str, float]
    ) -> dict[str, float]:
        """See `Op.figures`: the least that can be done is three matrix products."""
        flops = 6 * prod(point.of("KNVD")) / seconds
        return {"tflops": flops * 1e-12, "matmul_share": flops / ceilings["matmul_flops"]}

    def memory_share(self, point: Point, device: str, extra_bytes: int) -> float | None:
        """See `Op.memory_share`: in units of the logits in the dtype of x."""
        return extra_bytes / (prod(point.of("KNV")) * dtype_of(device).itemsize)


def _leaves(variant: Variant, inputs: LossInputs) -> list[LossInputs]:
    """The stack, or its members one by one for a variant that loops."""
    if not variant.loops:
        return [inputs]
    return [
        LossInputs(x.detach().requires_grad_(), e.detach().requires_grad_(), t)
        for x, e, t in zip(*(t.detach() for t in inputs), strict=True)
    ]


def _gradients(variant: Variant, leaves: LossInputs) -> tuple[Tensor, ...]:
    assert variant.function is not None
    loss = variant.function(*leaves)
    return (loss.detach(), *torch.autograd.grad(loss.sum(), leaves[:2]))
