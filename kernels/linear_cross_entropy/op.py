"""The loss as an opaque operator of PyTorch, for every implementation, with its autograd.

The gradients are made in the pass that makes the loss; going backward only scales them. There are
no second derivatives.
"""

from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

from geomem.kernels.linear_cross_entropy import reference
from geomem.kernels.linear_cross_entropy.problem import Outputs, Problem, empty_outputs

_Tensors = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


@custom_op("geomem::linear_cross_entropy", mutates_args=())
def linear_cross_entropy(
    x: Tensor,
    embedding: Tensor,
    row: Tensor | None,
    token: Tensor,
    weight: Tensor | None,
    row_weights: Tensor | None,
    vocab_sizes: Tensor | None,
    metrics: bool,
    want_dx: bool,
    want_de: bool,
    impl: str,
) -> _Tensors:
    """Fields of Problem in, fields of Outputs out; impl as `implementation` names it."""
    problem = Problem(
        x, embedding, row, token, weight, row_weights, vocab_sizes, metrics, want_dx, want_de
    )
    return tuple(_run(problem, impl))  # type: ignore[return-value]


def _run(p: Problem, impl: str) -> Outputs:
    if p.x.shape[0] == 0 or p.x.shape[1] == 0:
        return Outputs(*(t.zero_() for t in empty_outputs(p)))
    if impl == "reference":
        return reference.run(p)
    from geomem.kernels.linear_cross_entropy import fused  # needs Triton

    return fused.run(p)


@linear_cross_entropy.register_fake
def _(*arguments: Any) -> _Tensors:
    return tuple(empty_outputs(Problem(*arguments[:-1])))  # type: ignore[return-value]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    results = Outputs(*output)
    ctx.embedding_dtype = inputs[1].dtype
    ctx.want = inputs[8], inputs[9]
    ctx.save_for_backward(results.dx, results.de)
    ctx.mark_non_differentiable(*results[1:])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
    if torch.is_grad_enabled():
        raise RuntimeError("linear_cross_entropy: second derivatives are not available")
    dx, de = ctx.saved_tensors
    rest = (None,) * 9
    if grads[0] is None:
        return None, None, *rest
    scale = grads[0][:, None, None]
    want_dx, want_de = ctx.want
    return (
        (dx * scale).to(dx.dtype) if want_dx else None,
        (de * scale).to(ctx.embedding_dtype) if want_de else None,
        *rest,
    )


linear_cross_entropy.register_autograd(_backward, setup_context=_setup)


class _Eager(torch.autograd.Function):
    """The same without the dispatcher of custom ops, which costs a compact stack 30 us a step."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, ...]:
        return tuple(_run(Problem(*arguments[:-1]), arguments[-1]))

    setup_context = staticmethod(_setup)
    backward = staticmethod(_backward)


def call(p: Problem, impl: str) -> Outputs:
    """Run an implementation: as the operator where a compiler looks on, else directly."""
    if torch.compiler.is_compiling():
        return Outputs(*linear_cross_entropy(*p, impl))
    if p.want_dx or p.want_de:
        return Outputs(*_Eager.apply(*p, impl))
    return _run(p, impl)
