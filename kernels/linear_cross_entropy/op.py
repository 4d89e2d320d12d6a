"""The loss as an opaque operator of PyTorch, for every implementation, with its autograd.

The gradients are made in the pass that makes the loss; going backward only scales them. There are
no second derivatives.
"""

from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

from geomem.kernels.linear_cross_entropy import dense, eager, reference
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
    hits_only: bool,
    want_dx: bool,
    want_de: bool,
    impl: str,
) -> _Tensors:
    """Fields of Problem in, fields of Outputs out; impl as `implementation` names it."""
    lists, wants = (row, token, weight), (metrics, hits_only, want_dx, want_de)
    out = _run(Problem(x, embedding, *lists, row_weights, vocab_sizes, *wants), impl)
    if out.rank is out.argmax:  # which an operator must not return twice
        out = out._replace(rank=out.rank.clone(), ties=out.ties.clone())
    return tuple(out)  # type: ignore[return-value]


def _run(p: Problem, impl: str) -> Outputs:
    if p.x.shape[0] == 0 or p.x.shape[1] == 0:
        return Outputs(*(t.zero_() for t in empty_outputs(p)))
    if impl == "reference":
        return reference.run(p)
    if impl == "eager":
        return eager.run(p)
    if impl == "dense":
        return dense.run(p)
    from geomem.kernels.linear_cross_entropy import fused  # needs Triton

    return fused.run(p)


@linear_cross_entropy.register_fake
def _(*arguments: Any) -> _Tensors:
    return tuple(empty_outputs(Problem(*arguments[:-1])))  # type: ignore[return-value]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    p, results = Problem(*inputs[:-1]), Outputs(*output)
    ctx.dtypes, ctx.want = (p.x.dtype, p.embedding.dtype), (p.want_dx, p.want_de)
    ctx.save_for_backward(results.dx, results.de)
    ctx.mark_non_differentiable(*results[1:])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
    rest = (None,) * (len(Problem._fields) - 1)
    if grads[0] is None:
        return None, None, *rest
    return *_scaled(ctx, grads[0]), *rest


def _scaled(ctx: Any, grad: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """The gradients that are wanted, times that of the losses [K]; None stands for ones."""
    if torch.is_grad_enabled():
        raise RuntimeError("linear_cross_entropy: second derivatives are not available")
    dx, de = ctx.saved_tensors
    if grad is not None:
        scale = grad[:, None, None]
        dx, de = dx * scale, de * scale
    (want_dx, want_de), (dx_dtype, de_dtype) = ctx.want, ctx.dtypes
    return dx.to(dx_dtype) if want_dx else None, de.to(de_dtype) if want_de else None


linear_cross_entropy.register_autograd(_backward, setup_context=_setup)


class _Made(torch.autograd.Function):
    """The same without the dispatcher of custom ops, which costs a compact stack 30 us a step.

    forward(x, embedding, loss, dx, de) returns the losses.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, embedding: Tensor, loss: Tensor, dx: Tensor, de: Tensor
    ) -> Tensor:
        ctx.dtypes, ctx.want = (x.dtype, embedding.dtype), ctx.needs_input_grad[:2]
        ctx.save_for_backward(dx, de)
        return loss.view_as(loss)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *_scaled(ctx, None if _are_ones(grad) else grad), None, None, None


def ones_like_losses(loss: Tensor) -> Tensor:
    """Return the gradient of the sum of losses [K], which going backward does not multiply by.

    Any other tensor of ones is looked at first, for which a device would have to be waited for.
    """
    if torch.compiler.is_compiling():
        return torch.ones_like(loss)
    kind = loss.device, loss.dtype
    if kind not in _one:
        _one[kind] = torch.ones((), device=loss.device, dtype=loss.dtype)
    return _one[kind].expand(loss.shape)


_one: dict[tuple[torch.device, torch.dtype], Tensor] = {}


def _are_ones(grad: Tensor) -> bool:
    """Whether this is known to be the gradient of a plain sum, without waiting for a device."""
    if torch.compiler.is_compiling():
        return False
    one = _one.get((grad.device, grad.dtype))
    if one is not None and grad.data_ptr() == one.data_ptr():
        return True
    one_number = len(grad) == 1 or (len(grad) > 1 and grad.stride(0) == 0)
    return grad.device.type == "cpu" and one_number and float(grad[0]) == 1


def call(p: Problem, impl: str) -> Outputs:
    """Run an implementation: as the operator where a compiler looks on, else directly.

    The dense one is open to the compiler.
    """
    if torch.compiler.is_compiling() and impl != "dense":
        return Outputs(*linear_cross_entropy(*p, impl))
    if not p.want_dx and not p.want_de:
        return _run(p, impl)
    out = _run(Problem(p.x.detach(), p.embedding.detach(), *p[2:]), impl)
    loss = _Made.apply(p.x, p.embedding, out.loss, out.dx, out.de)
    return Outputs(loss, *out[1:])
