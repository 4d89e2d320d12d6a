"""Attention as the benchmark sees it.

K members · B sequences · T positions · P positions of the prefix · H heads · D width of a head
"""

from collections.abc import Callable, Mapping
from math import prod

import torch
from torch import Tensor

from geomem.bench.attention import inputs as arguments
from geomem.bench.attention.implementations import all_variants
from geomem.bench.attention.inputs import REGIMES, AttentionInputs
from geomem.bench.ceilings import dtype_of
from geomem.bench.variants import Call, Point, Variant, three_passes

GRID = {
    "cuda": (
        *((1, 16384, 8, 0, 12, 64), (512, 560, 6, 0, 4, 16), (4096, 34, 6, 0, 1, 32)),
        *((8, 560, 6, 0, 4, 16), (8, 512, 1, 1, 4, 16), (512, 48, 6, 1, 4, 16)),
        (1, 64, 512, 0, 4, 64),
    ),
    # Paths and edges of the trainer behind what they share, and a context of its prompts.
    "cpu": ((8, 48, 6, 1, 4, 16), (8, 512, 1, 1, 4, 16), (1, 64, 128, 0, 4, 16)),
}
SMOKE = ((2, 5, 3, 1, 2, 4), (1, 2, 66, 0, 1, 8))
MOVED = {"forward": 4, "backward": 7, "both": 11}  # tensors: q k v | o; q k v do | dq dk dv


class ShortAttentionOp:
    """Forward as training runs it, backward of every argument, and the two together."""

    name = "short_attention"
    passes = tuple(MOVED)
    regimes = tuple(REGIMES)
    timed_regime = "even"

    def points(self, device: str, smoke: bool) -> list[Point]:
        """See `Op.points`."""
        grid = SMOKE if smoke else GRID[device]
        return [Point(dict(zip("KBTPHD", sizes, strict=True))) for sizes in grid]

    def variants(self, point: Point, device: str, smoke: bool) -> list[Variant]:
        """See `Op.variants`."""
        return all_variants(point, device, smoke)

    def inputs(self, point: Point, device: str, regime: str, seed: int) -> AttentionInputs:
        """See `Op.inputs`."""
        return arguments.make_inputs(point, device, regime, seed)

    def truth(self, point: Point, inputs: AttentionInputs) -> dict[str, Tensor]:
        """See `Op.truth`."""
        return arguments.truth(inputs)

    def results(self, variant: Variant, inputs: AttentionInputs) -> dict[str, Tensor]:
        """See `Op.results`."""
        o, *grads = _both(variant, inputs)
        names = (f"d_{name}" for name in arguments.leaves(inputs))
        return {"o": o} | dict(zip(names, grads, strict=True))

    def named(self, variant: Variant, results: dict[str, Tensor]) -> dict[str, Tensor]:
        """See `Op.named`."""
        return results

    def calls(self, variant: Variant, inputs: AttentionInputs) -> dict[str, Callable[[], Call]]:
        """See `Op.calls`."""
        return three_passes(
            lambda: _forward(variant, inputs),
            lambda o: _backward(o, inputs, keep=True),
            lambda: _both(variant, inputs),
        )

    def limit(self, device: str) -> float:
        """See `Op.limit`: products of bf16 pass, a row that sees too much does not."""
        return 0.05

    def figures(
        self, point: Point, at: str, seconds: float, device: str, ceilings: Mapping[str, float]
    ) -> dict[str, float]:
        """See `Op.figures`: the least that can be moved; what a prefix adds is too small to count.

        Forward reads q, k, v and writes the result; backward reads these, the result's gradient,
        and writes three gradients.
        """
        moved = MOVED[at] * dtype_of(device).itemsize * prod(point.of("KBTHD")) / seconds
        return {"gbytes": moved * 1e-9, "copy_share": moved / ceilings["copy_bytes"]}

    def memory_share(self, point: Point, device: str, extra_bytes: int) -> float | None:
        """See `Op.memory_share`: in units of all scores."""
        scores = prod(point.of("KBHT")) * (point.sizes["P"] + point.sizes["T"])
        return extra_bytes / (dtype_of(device).itemsize * scores)


def _forward(variant: Variant, inputs: AttentionInputs) -> Tensor:
    assert variant.function is not None
    o: Tensor = variant.function(inputs)
    return o


def _backward(o: Tensor, inputs: AttentionInputs, keep: bool) -> tuple[Tensor, ...]:
    wanted = list(arguments.leaves(inputs).values())
    return torch.autograd.grad(o, wanted, inputs.do, retain_graph=keep, materialize_grads=True)


def _both(variant: Variant, inputs: AttentionInputs) -> tuple[Tensor, ...]:
    o = _forward(variant, inputs)
    return (o.detach(), *_backward(o, inputs, keep=False))
