"""What is measured: an op at a size (a point), computed by several implementations (variants)."""

import gc
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

Call = Callable[[], object]
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
PIECE = 1 << 26  # elements compared at a time, in double


@dataclass(frozen=True)
class Point:
    """One size of an op: its letters and their values."""

    sizes: Mapping[str, int]

    def of(self, letters: str) -> tuple[int, ...]:
        """Return the sizes of letters, in their order."""
        return tuple(self.sizes[letter] for letter in letters)

    def __str__(self) -> str:
        return " ".join(f"{letter}={value}" for letter, value in self.sizes.items())


@dataclass(frozen=True)
class Variant:
    """One implementation.

    function: what the op calls, of a signature that the op defines; missing: why it cannot run
    here, if so; capturable: whether a CUDA graph can hold it; loops: it knows single models only
    and is called once per member; compiles: it takes long to start, and is checked after the rest;
    own_layout: it wants its arguments in another memory layout, which is made for it untimed;
    note: stands beside its figures.
    """

    name: str
    function: Callable[..., Any] | None = None
    missing: str = ""
    capturable: bool = True
    loops: bool = False
    compiles: bool = False
    own_layout: bool = False
    note: str = ""


@dataclass
class Check:
    """What came of the comparison with fp64: status is "ok", "wrong" or why there is nothing.

    errors: "regime.tensor" -> relative error; extra_bytes: peak memory beyond the inputs and what
    is returned, on CUDA.
    """

    status: str = "ok"
    errors: dict[str, float] = field(default_factory=dict)
    extra_bytes: int | None = None


class Op(Protocol):
    """An op of the benchmark. Tensors named alike in `truth` and `results` are compared."""

    @property
    def name(self) -> str:
        """What the op is called in options, tables and JSON."""
        ...

    @property
    def passes(self) -> Sequence[str]:
        """Return what is timed separately."""
        ...

    @property
    def regimes(self) -> Sequence[str]:
        """Return the kinds of arguments on which the op is checked."""
        ...

    @property
    def timed_regime(self) -> str:
        """Return the kind of arguments with which the op is timed."""
        ...

    def points(self, device: str, smoke: bool) -> list[Point]:
        """Return the grid of sizes for a kind of device."""
        ...

    def variants(self, point: Point, device: str, smoke: bool) -> list[Variant]:
        """Return every implementation, the missing ones too; ours first."""
        ...

    def inputs(self, point: Point, device: str, regime: str, seed: int) -> Any:
        """Make one set of arguments."""
        ...

    def truth(self, point: Point, inputs: Any) -> dict[str, Tensor]:
        """Return the results and gradients in fp64."""
        ...

    def results(self, variant: Variant, inputs: Any) -> Any:
        """Return the results and gradients of an implementation, as it leaves them."""
        ...

    def named(self, variant: Variant, results: Any) -> dict[str, Tensor]:
        """Return what `results` returned under the names of `truth`."""
        ...

    def calls(self, variant: Variant, inputs: Any) -> dict[str, Callable[[], Call]]:
        """Return, for each pass, what prepares the call that is timed."""
        ...

    def limit(self, device: str) -> float:
        """Return the relative error above which a result counts as wrong."""
        ...

    def figures(
        self, point: Point, at: str, seconds: float, device: str, ceilings: Mapping[str, float]
    ) -> dict[str, float]:
        """Return what the time of a pass comes to."""
        ...

    def memory_share(self, point: Point, device: str, extra_bytes: int) -> float | None:
        """Return extra memory in units of what the plain formulation holds, if that is defined."""
        ...


def three_passes(
    forward: Callable[[], Any], backward: Callable[[Any], object], both: Call
) -> dict[str, Callable[[], Call]]:
    """Return what `Op.calls` does for forward, backward and both; backward keeps its forward."""

    def prepare_backward() -> Call:
        kept = forward()
        return lambda: backward(kept)

    return {"forward": lambda: forward, "backward": prepare_backward, "both": lambda: both}


def relative_error(actual: Tensor, truth: Tensor) -> float:
    """Frobenius norm of the difference in units of the truth's; zeros give 1, NaN infinity."""
    if actual.shape != truth.shape:
        return float("inf")
    difference = total = 0.0
    pieces = zip(actual.flatten().split(PIECE), truth.flatten().split(PIECE), strict=True)
    for a, t in pieces:
        difference += float((a.double() - t.double()).square().sum())
        total += float(t.double().square().sum())
    error = (difference / total) ** 0.5 if total else float(difference > 0)
    return error if error == error else float("inf")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception, or one that it followed, says that memory ran out."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    words = str(error).lower() if isinstance(error, RuntimeError) else ""
    before = error.__cause__ or error.__context__
    return any(phrase in words for phrase in NO_MEMORY) or (
        before is not None and is_out_of_memory(before)
    )


def describe(error: BaseException) -> str:
    """Return the status that an exception leaves in the table."""
    if is_out_of_memory(error):
        return "out of memory"
    first = (str(error).strip().splitlines() or [""])[0]
    return f"failed: {type(error).__name__}: {first}"[:200]


def free(device: str) -> None:
    """Give back what nobody refers to any more; takes a good part of a second."""
    if device == "cuda":
        gc.collect()
        with suppress(RuntimeError):  # of a peer that broke the device: its rows say so
            torch.cuda.empty_cache()


def total_bytes(tensors: Any) -> int:
    """Sum the storage of tensors in a (nested) sequence; other things count nothing."""
    if isinstance(tensors, Tensor):
        return tensors.numel() * tensors.element_size()
    if isinstance(tensors, (list, tuple)):
        return sum(total_bytes(t) for t in tensors)
    return 0
