"""One pass over rows as the benchmark sees it: bytes are all that it costs.

K members · R rows · D width
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from geomem.bench.ceilings import dtype_of
from geomem.bench.peers import compiled
from geomem.bench.variants import Call, Point, Variant, three_passes

Sizes = tuple[int, int, int]
Run = Callable[[Mapping[str, Tensor], str], Sequence[Tensor]]


class PassInputs(NamedTuple):
    """Tensors by name, all of which ask for gradients, and the gradients of the results."""

    tensors: dict[str, Tensor]
    given: tuple[Tensor, ...]


@dataclass(frozen=True)
class PassOp:
    """Forward as training runs it, backward of every argument, and the two together.

    run: calls the op with an implementation; outputs: names of what it returns; make: draws
    tensors of sizes K, R, D on a device with a generator; moved: for the bytes of an element in a
    short type, those that each pass reads and writes per element.
    """

    name: str
    grid: Mapping[str, Sequence[Sizes]]
    run: Run
    outputs: Sequence[str]
    make: Callable[[Sizes, torch.dtype, torch.Generator], dict[str, Tensor]]
    moved: Callable[[int], Mapping[str, int]]
    smoke: Sequence[Sizes] = ((3, 7, 5), (1, 40, 64))
    passes: Sequence[str] = ("forward", "backward", "both")
    regimes: Sequence[str] = ("drawn",)
    timed_regime: str = "drawn"

    def points(self, device: str, smoke: bool) -> list[Point]:
        """See `Op.points`."""
        grid = self.smoke if smoke else self.grid.get(device, ())
        return [Point(dict(zip("KRD", sizes, strict=True))) for sizes in grid]

    def variants(self, point: Point, device: str, smoke: bool) -> list[Variant]:
        """See `Op.variants`: the reference is what eager PyTorch has for it."""
        ours = Variant("geomem", lambda x: self.run(x, "auto"))
        plain = Variant("geomem reference", lambda x: self.run(x, "reference"))
        name = "reference, torch.compile"
        if smoke:
            return [ours, plain, Variant(name, missing="left out of the smoke size")]
        whole = compiled(lambda x: self.run(x, "reference"))
        return [ours, plain, Variant(name, whole, compiles=True)]

    def inputs(self, point: Point, device: str, regime: str, seed: int) -> PassInputs:
        """See `Op.inputs`."""
        K, R, D = point.of("KRD")
        generator = torch.Generator(device).manual_seed(seed)
        tensors = self.make((K, R, D), dtype_of(device), generator)
        tensors = {name: t.detach().requires_grad_() for name, t in tensors.items()}
        with torch.no_grad():
            found = self.run(tensors, "reference")
        given = (torch.randn(t.shape, generator=generator, device=device) for t in found)
        return PassInputs(tensors, tuple(g.to(t.dtype) for g, t in zip(given, found, strict=True)))

    def truth(self, point: Point, inputs: PassInputs) -> dict[str, Tensor]:
        """See `Op.truth`, member by member."""
        K = point.sizes["K"]
        parts = [self._truth_of_member(inputs, slice(k, k + 1)) for k in range(K)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _truth_of_member(self, inputs: PassInputs, member: slice) -> dict[str, Tensor]:
        tensors = {n: t[member].detach().double() for n, t in inputs.tensors.items()}
        exact = PassInputs(
            {name: t.requires_grad_() for name, t in tensors.items()},
            tuple(g[member].double() for g in inputs.given),
        )
        found = self.run(exact.tensors, "reference")
        return self.named(Variant(""), [*found, *_backward(found, exact, keep=False)])

    def results(self, variant: Variant, inputs: PassInputs) -> list[Tensor]:
        """See `Op.results`."""
        return _both(variant, inputs)

    def named(self, variant: Variant, results: list[Tensor]) -> dict[str, Tensor]:
        """See `Op.named`."""
        arguments = self.make((1, 1, 1), torch.float32, torch.Generator())
        names = [*self.outputs, *(f"d_{name}" for name in arguments)]
        return {name: t.detach() for name, t in zip(names, results, strict=True)}

    def calls(self, variant: Variant, inputs: PassInputs) -> dict[str, Callable[[], Call]]:
        """See `Op.calls`."""
        return three_passes(
            lambda: _forward(variant, inputs),
            lambda found: _backward(found, inputs, keep=True),
            lambda: _both(variant, inputs),
        )

    def limit(self, device: str) -> float:
        """See `Op.limit`: rounding to bf16 passes, a term that is left out does not."""
        return 0.02

    def figures(
        self, point: Point, at: str, seconds: float, device: str, ceilings: Mapping[str, float]
    ) -> dict[str, float]:
        """See `Op.figures`: the least that can be moved; what is one per row or column is not."""
        moved = dict(self.moved(dtype_of(device).itemsize))
        moved["both"] = moved["forward"] + moved["backward"]
        rate = moved[at] * prod(point.of("KRD")) / seconds
        return {"gbytes": rate * 1e-9, "copy_share": rate / ceilings["copy_bytes"]}

    def memory_share(self, point: Point, device: str, extra_bytes: int) -> float | None:
        """See `Op.memory_share`: in units of one argument."""
        return extra_bytes / (dtype_of(device).itemsize * prod(point.of("KRD")))


def _forward(variant: Variant, inputs: PassInputs) -> Sequence[Tensor]:
    assert variant.function is not None
    found: Sequence[Tensor] = variant.function(inputs.tensors)
    return found


def _backward(found: Sequence[Tensor], inputs: PassInputs, keep: bool) -> tuple[Tensor, ...]:
    wanted = list(inputs.tensors.values())
    return torch.autograd.grad(found, wanted, inputs.given, retain_graph=keep)


def _both(variant: Variant, inputs: PassInputs) -> list[Tensor]:
    found = _forward(variant, inputs)
    return [*found, *_backward(found, inputs, keep=False)]
