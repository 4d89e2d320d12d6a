"""The scan as the benchmark sees it.

K members · B sequences · T positions · C channels · S states per channel
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from geomem.bench.ceilings import dtype_of
from geomem.bench.scan import inputs as arguments
from geomem.bench.scan.implementations import all_variants
from geomem.bench.scan.inputs import LEAVES, ScanInputs
from geomem.bench.variants import Call, Point, Variant, three_passes

GRID = {
    "cuda": (
        *((16384, 8, 768, 16, 1), (2048, 16, 768, 16, 1), (2048, 16, 1568, 32, 1)),
        *((4096, 8, 64, 8, 64), (8, 4096, 1536, 16, 1)),
    ),
    # Edges and paths of the trainer's Mamba, and a longer context.
    "cpu": ((512, 1, 128, 8, 8), (524, 6, 128, 8, 1), (64, 16, 256, 16, 1)),
}
SMOKE = ((4, 5, 8, 4, 2), (3, 1, 6, 2, 1))


class SelectiveScanOp:
    """Forward as training runs it, backward of every argument, and the two together."""

    name = "selective_scan"
    passes = ("forward", "backward", "both")
    regimes = ("start",)
    timed_regime = "start"

    def points(self, device: str, smoke: bool) -> list[Point]:
        """See `Op.points`."""
        grid = SMOKE if smoke else GRID[device]
        return [Point(dict(zip("BTCSK", sizes, strict=True))) for sizes in grid]

    def variants(self, point: Point, device: str, smoke: bool) -> list[Variant]:
        """See `Op.variants`."""
        return all_variants(point, device, smoke)

    def inputs(self, point: Point, device: str, regime: str, seed: int) -> ScanInputs:
        """See `Op.inputs`."""
        return arguments.make_inputs(point, device, seed)

    def truth(self, point: Point, inputs: ScanInputs) -> dict[str, Tensor]:
        """See `Op.truth`."""
        return arguments.truth(inputs)

    def results(self, variant: Variant, inputs: ScanInputs) -> list[tuple[Tensor, ...]]:
        """See `Op.results`."""
        return [_both(variant, own) for own in _stacks(variant, inputs)]

    def named(self, variant: Variant, results: list[tuple[Tensor, ...]]) -> dict[str, Tensor]:
        """See `Op.named`."""
        names = ("y", *(f"d_{name}" for name in LEAVES))
        columns = zip(*results, strict=True)
        joined = [c[0] if len(c) == 1 else torch.cat(c) for c in columns]
        return dict(zip(names, joined, strict=True))

    def calls(self, variant: Variant, inputs: ScanInputs) -> dict[str, Callable[[], Call]]:
        """See `Op.calls`."""
        stacks = _stacks(variant, inputs)
        return three_passes(
            lambda: [_forward(variant, own) for own in stacks],
            lambda found: [_backward(y, i, keep=True) for y, i in zip(found, stacks, strict=True)],
            lambda: [_both(variant, own) for own in stacks],
        )

    def limit(self, device: str) -> float:
        """See `Op.limit`: a state kept in bf16 passes, a lost term does not."""
        return 0.05

    def figures(
        self, point: Point, at: str, seconds: float, device: str, ceilings: Mapping[str, float]
    ) -> dict[str, float]:
        """See `Op.figures`: bytes of inputs and results, one exponential per state and direction.

        Forward reads u, delta, z, b, c and writes y; backward reads these and dy, and writes the
        gradients of the five; what belongs to a channel is too small to count.
        """
        K, B, T, C, S = point.of("KBTCS")
        tensors = {"forward": (4, 2), "backward": (7, 4), "both": (11, 6)}[at]
        moved = dtype_of(device).itemsize * K * B * T * (tensors[0] * C + tensors[1] * S)
        exps = K * B * T * C * S * (2 if at == "both" else 1)
        return {
            "gbytes": moved / seconds * 1e-9,
            "copy_share": moved / seconds / ceilings["copy_bytes"],
            "gexps": exps / seconds * 1e-9,
        }

    def memory_share(self, point: Point, device: str, extra_bytes: int) -> float | None:
        """See `Op.memory_share`: in units of the fp32 states of all steps."""
        K, B, T, C, S = point.of("KBTCS")
        return extra_bytes / (4 * K * B * T * C * S)


def _stacks(variant: Variant, inputs: ScanInputs) -> list[ScanInputs]:
    """The arguments in the layout and in the groups that a variant takes them in."""
    if variant.own_layout:
        inputs = arguments.channels_first(inputs)
    return arguments.members(inputs) if variant.loops else [inputs]


def _forward(variant: Variant, inputs: ScanInputs) -> Tensor:
    assert variant.function is not None
    y: Tensor = variant.function(inputs)
    return y


def _backward(y: Tensor, inputs: ScanInputs, keep: bool) -> tuple[Tensor, ...]:
    wanted = arguments.leaves(inputs)
    return torch.autograd.grad(y, wanted, inputs.dy, retain_graph=keep)


def _both(variant: Variant, inputs: ScanInputs) -> tuple[Tensor, ...]:
    y = _forward(variant, inputs)
    return (y.detach(), *_backward(y, inputs, keep=False))
