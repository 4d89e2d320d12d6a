"""The optimiser step as the benchmark sees it.

K members · P parameters of a member · S settings, each of K / S neighbours
"""

from collections.abc import Callable, Mapping
from math import prod

import torch
from torch import Tensor

from geomem.bench.adamw import inputs as arguments
from geomem.bench.adamw.implementations import all_variants
from geomem.bench.adamw.inputs import AdamWInputs
from geomem.bench.variants import Call, Point, Variant

GRID = {
    "cuda": (
        *((4096, 16_384, 1), (4096, 16_384, 4096), (512, 150_000, 16)),
        *((8, 150_000, 1), (1, 100_000_000, 1)),
    ),
    "cpu": ((256, 16_384, 1), (256, 16_384, 256), (8, 150_000, 1)),
}
SMOKE = ((6, 40, 2), (1, 1000, 1))
MOVED = 28  # bytes per parameter: p, g and two moments are read, all but g are written


class AdamWStepOp:
    """One step in place, of members with settings of their own."""

    name = "adamw_step"
    passes = ("step",)
    regimes = ("fifth step",)
    timed_regime = "fifth step"

    def points(self, device: str, smoke: bool) -> list[Point]:
        """See `Op.points`."""
        grid = SMOKE if smoke else GRID[device]
        return [Point(dict(zip("KPS", sizes, strict=True))) for sizes in grid]

    def variants(self, point: Point, device: str, smoke: bool) -> list[Variant]:
        """See `Op.variants`."""
        return all_variants(point, device, smoke)

    def inputs(self, point: Point, device: str, regime: str, seed: int) -> AdamWInputs:
        """See `Op.inputs`."""
        return arguments.make_inputs(point, device, seed)

    def truth(self, point: Point, inputs: AdamWInputs) -> dict[str, Tensor]:
        """See `Op.truth`."""
        return arguments.truth(inputs)

    def results(self, variant: Variant, inputs: AdamWInputs) -> list[Tensor]:
        """See `Op.results`: a step moves little of what stands there, so the change is compared."""
        own = _copy(inputs)
        _prepare(variant, own)()
        with torch.no_grad():
            change = own.parameters.sub_(inputs.parameters)
        return [change, own.first, own.second]

    def named(self, variant: Variant, results: list[Tensor]) -> dict[str, Tensor]:
        """See `Op.named`."""
        return dict(zip(("change", "first", "second"), results, strict=True))

    def calls(self, variant: Variant, inputs: AdamWInputs) -> dict[str, Callable[[], Call]]:
        """See `Op.calls`."""
        return {"step": lambda: _prepare(variant, _copy(inputs))}

    def limit(self, device: str) -> float:
        """See `Op.limit`: rounding of the parameters passes, a forgotten correction does not."""
        return 1e-3

    def figures(
        self, point: Point, at: str, seconds: float, device: str, ceilings: Mapping[str, float]
    ) -> dict[str, float]:
        """See `Op.figures`: the least that can be moved."""
        moved = MOVED * prod(point.of("KP")) / seconds
        return {"gbytes": moved * 1e-9, "copy_share": moved / ceilings["copy_bytes"]}

    def memory_share(self, point: Point, device: str, extra_bytes: int) -> float | None:
        """See `Op.memory_share`: in units of the parameters."""
        return extra_bytes / (4 * prod(point.of("KP")))


def _copy(inputs: AdamWInputs) -> AdamWInputs:
    """Return inputs that a step may write to."""
    i = inputs
    written = (i.parameters.clone(), i.first.clone(), i.second.clone())
    return i._replace(parameters=written[0], first=written[1], second=written[2])


def _prepare(variant: Variant, inputs: AdamWInputs) -> Call:
    assert variant.function is not None
    call: Call = variant.function(inputs)
    return call
