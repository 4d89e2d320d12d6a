"""A function of tensors as one program of PyTorch's compiler, which fuses pointwise operations."""

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:  # the compiler takes a second to import, so only who compiles does
    from torch._dynamo.types import GuardFilterEntry


class Program:
    """The same as a method that differentiates, compiled when it is first called.

    Whatever the method reads that is no tensor must stay as it is; tensors of other shapes make
    another program.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        own: Any = method.__func__  # type: ignore[attr-defined]
        # The compiler keeps its programs with a function's code. Checks of all that the code reads
        # would take as long as a small step, so they go, and a copy keeps stacks apart.
        copy = FunctionType(
            own.__code__.replace(), own.__globals__, own.__name__, own.__defaults__, own.__closure__
        )
        self._bound = method.__self__  # type: ignore[attr-defined]
        # Searching for known patterns takes a fifth of the compiler's time and finds nothing that
        # makes a step faster; PyTorch 2.11 fails on the attention that it finds.
        options: dict[str, Any] = {"guard_filter_fn": _of_tensors, "pattern_matcher": False}
        # One member more or less is another program; guessed shapes would make it a slower one.
        self._run = torch.compile(copy, dynamic=False, fullgraph=True, options=options)

    def __call__(self, *arguments: Any) -> Any:
        """Return what the method returns."""
        with torch._dynamo.config.patch(trace_autograd_ops=True):
            return self._run(self._bound, *arguments)


def _of_tensors(guards: Sequence["GuardFilterEntry"]) -> list[bool]:
    return [guard.guard_type == "TENSOR_MATCH" for guard in guards]
