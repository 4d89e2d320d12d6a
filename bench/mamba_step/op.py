"""A training step of Mamba as the benchmark sees it: on a CPU, at the sizes of the path-star."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from geomem.bench.mamba_step.runs import Peer, Trainer
from geomem.bench.peers import why_missing
from geomem.bench.variants import Call, Point, Variant

CHECKED_STEPS = 6
GRID = ({"arms": 512, "length": 5, "edges": 512, "paths": 12},)
SMOKE = ({"arms": 8, "length": 4, "edges": 12, "paths": 3},)
PEER = "transformers.models.mamba.modeling_mamba"


class MambaStepOp:
    """Sampling, forward, loss, backward and AdamW; one layer, width 64, 8 states, one member."""

    name = "mamba_step"
    passes = ("step",)
    regimes = ("training",)
    timed_regime = "training"

    def points(self, device: str, smoke: bool) -> list[Point]:
        """See `Op.points`; on CUDA the steps wait for their capture in a graph."""
        grid = () if device == "cuda" else SMOKE if smoke else GRID
        return [Point(sizes) for sizes in grid]

    def variants(self, point: Point, device: str, smoke: bool) -> list[Variant]:
        """See `Op.variants`; a function takes (sizes, device) and returns a run."""
        missing = why_missing(PEER, device, needs_cuda=False)
        names = ("transformers slow path", "transformers slow path, padded")
        note = "scores predicted tokens only, batches made ahead"
        return [
            Variant("geomem", Trainer),
            Variant(names[0], _peer(padded=False), missing, note=f"a call per length; {note}"),
            Variant(names[1], _peer(padded=True), missing, note=f"one batch; {note}"),
        ]

    def inputs(self, point: Point, device: str, regime: str, seed: int) -> tuple[Point, str]:
        """See `Op.inputs`."""
        return point, device

    def truth(self, point: Point, inputs: tuple[Point, str]) -> dict[str, Tensor]:
        """See `Op.truth`: the losses of transformers' model in fp64, nothing without it."""
        if why_missing(PEER, inputs[1], needs_cuda=False):
            return {}
        return _losses(Peer(dict(point.sizes), inputs[1], torch.float64, padded=False))

    def results(self, variant: Variant, inputs: tuple[Point, str]) -> dict[str, Tensor]:
        """See `Op.results`."""
        return _losses(_start(variant, inputs))

    def named(self, variant: Variant, results: dict[str, Tensor]) -> dict[str, Tensor]:
        """See `Op.named`."""
        return results

    def calls(self, variant: Variant, inputs: tuple[Point, str]) -> dict[str, Callable[[], Call]]:
        """See `Op.calls`."""

        def prepare() -> Call:
            run = _start(variant, inputs)
            return lambda: run.step()

        return {"step": prepare}

    def limit(self, device: str) -> float:
        """See `Op.limit`."""
        return 1e-2

    def figures(
        self, point: Point, at: str, seconds: float, device: str, ceilings: Mapping[str, float]
    ) -> dict[str, float]:
        """See `Op.figures`."""
        return {"steps_per_second": 1 / seconds}

    def memory_share(self, point: Point, device: str, extra_bytes: int) -> float | None:
        """See `Op.memory_share`."""
        return None


def _peer(padded: bool) -> Callable[[dict[str, int], str], Peer]:
    return lambda sizes, device: Peer(sizes, device, torch.float32, padded)


def _start(variant: Variant, inputs: tuple[Point, str]) -> Any:
    assert variant.function is not None
    point, device = inputs
    return variant.function(dict(point.sizes), device)


def _losses(run: Any) -> dict[str, Tensor]:
    """The first loss, and what training changes of it: 0 without a gradient, so error 1."""
    losses = torch.stack([run.step().double() for _ in range(CHECKED_STEPS)])
    return {"first_loss": losses[:1], "loss_change": losses[1:] - losses[0]}
