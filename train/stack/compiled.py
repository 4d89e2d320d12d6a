"""A function of tensors as one program of PyTorch's compiler, which fuses pointwise operations."""

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from geomem.train.stack.batches import Part, tensors_of

if TYPE_CHECKING:  # the compiler takes a second to import, so only who compiles does
    from torch._dynamo.types import GuardFilterEntry

Compiled = Callable[..., Any]


class Program:
    """The same as a function that may differentiate, compiled when it is first called.

    Whatever the function reads that is no tensor must stay as it is, and alike in all objects that
    it is called with; tensors of other shapes make another program. on_cpu: whether its tensors
    are there, where what the host does between two operations counts. last: of the last call, what
    was called and with which tensors.
    """

    last: tuple[Compiled, list[Tensor]]

    def __init__(self, function: Callable[..., Any], on_cpu: bool = True) -> None:
        own: Any = function  # defined in Python, so that it has code
        # The compiler keeps its programs with a function's code. Checks of all that the code reads
        # would take as long as a small step, so they go, and a copy keeps stacks apart.
        copy = FunctionType(
            own.__code__.replace(), own.__globals__, own.__name__, own.__defaults__, own.__closure__
        )
        self._options: dict[str, Any] = {
            # Searching for known patterns takes a fifth of the compiler's time and finds nothing
            # that makes a step faster; PyTorch 2.11 fails on the attention that it finds.
            "pattern_matcher": False,
            # Python between the operations takes up to a millisecond.
            "cpp_wrapper": on_cpu,
            # What is one number for a member is worked out once, not for each of its elements.
            "realize_reads_threshold": 1,
        }
        # One member more or less is another program; guessed shapes would make it a slower one.
        self._run = torch.compile(
            copy,
            backend=self._compiled,
            dynamic=False,
            fullgraph=True,
            options={"guard_filter_fn": _of_tensors},
        )

    def __call__(self, *arguments: Any) -> Any:
        """Return what the function returns."""
        with torch._dynamo.config.patch(trace_autograd_ops=True):
            return self._run(*arguments)

    def _compiled(self, graph: torch.fx.GraphModule, examples: list[Any], **_: Any) -> Compiled:
        compiled: Compiled = torch._inductor.compile(graph, examples, options=self._options)

        def run(*tensors: Tensor) -> Any:
            self.last = compiled, list(tensors)
            return compiled(*tensors)

        return run


class Repeated:
    """A program of one owner's steps, which goes on from the tensors of a step of these shapes.

    To find them again, and to see that they are alike, takes as long as what a small step does
    with them. The owner's tensors must stay in place.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._known: dict[object, tuple[Compiled, list[Tensor], list[tuple[int, int]]]] = {}

    def __call__(self, owner: object, parts: Sequence[Part], lr: Tensor) -> None:
        """Do the step of the parts with the learning rates [K]."""
        given = [*tensors_of([parts]), lr]
        alike = tuple((t.shape, t.stride(), t.dtype) for t in given)
        if alike in self._known:
            compiled, tensors, places = self._known[alike]
            for at, i in places:
                tensors[at] = given[i]
            compiled(*tensors)
            return
        self._program(owner, parts, lr)
        compiled, tensors = self._program.last
        places = [(at, i) for at, t in enumerate(tensors) for i, g in enumerate(given) if g is t]
        self._known[alike] = compiled, tensors, places


def _of_tensors(guards: Sequence["GuardFilterEntry"]) -> list[bool]:
    return [guard.guard_type == "TENSOR_MATCH" for guard in guards]
