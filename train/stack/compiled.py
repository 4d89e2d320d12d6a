"""A function of tensors as one program of PyTorch's compiler, which fuses pointwise operations."""

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:  # the compiler takes a second to import, so only who compiles does
    from torch._dynamo.types import GuardFilterEntry


class Program:
    """The same as a function that may differentiate, compiled when it is first called.

    Whatever the function reads that is no tensor must stay as it is, and alike in all objects that
    it is called with; tensors of other shapes make another program. on_cpu: whether its tensors
    are there, where what the host does between two operations counts.
    """

    def __init__(self, function: Callable[..., Any], on_cpu: bool = True) -> None:
        own: Any = function  # defined in Python, so that it has code
        # The compiler keeps its programs with a function's code. Checks of all that the code reads
        # would take as long as a small step, so they go, and a copy keeps stacks apart.
        copy = FunctionType(
            own.__code__.replace(), own.__globals__, own.__name__, own.__defaults__, own.__closure__
        )
        # Searching for known patterns takes a fifth of the compiler's time and finds nothing that
        # makes a step faster; PyTorch 2.11 fails on the attention that it finds.
        options: dict[str, Any] = {"guard_filter_fn": _of_tensors, "pattern_matcher": False}
        options["cpp_wrapper"] = on_cpu  # Python between the operations takes up to a millisecond
        # One member more or less is another program; guessed shapes would make it a slower one.
        self._run = torch.compile(copy, dynamic=False, fullgraph=True, options=options)

    def __call__(self, *arguments: Any) -> Any:
        """Return what the function returns."""
        with torch._dynamo.config.patch(trace_autograd_ops=True):
            return self._run(*arguments)


def _of_tensors(guards: Sequence["GuardFilterEntry"]) -> list[bool]:
    return [guard.guard_type == "TENSOR_MATCH" for guard in guards]
