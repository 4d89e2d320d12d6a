"""The norm as an opaque operator of PyTorch, for every implementation."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.library import custom_op

from geomem.kernels.member_norm import reference


@custom_op("geomem::member_norm", mutates_args=())
def member_norm(arrays: Sequence[Tensor], impl: str) -> Tensor:
    """Arrays [K, P] in, [K] out; impl as `implementation` names it."""
    return _run(list(arrays), impl)


@member_norm.register_fake
def _(arrays: Sequence[Tensor], impl: str) -> Tensor:
    return arrays[0].new_empty(arrays[0].shape[0], dtype=reference.wide(arrays[0].dtype))


def _run(arrays: list[Tensor], impl: str) -> Tensor:
    if impl == "reference":
        return reference.run(arrays)
    from geomem.kernels.member_norm import fused  # needs Triton

    return fused.run(arrays)


def call(arrays: list[Tensor], impl: str) -> Tensor:
    """Run an implementation: the kernel as an operator where a compiler looks on, else directly.

    The reference is open to the compiler, which sums several gradients in one pass.
    """
    if torch.compiler.is_compiling() and impl != "reference":
        result: Tensor = member_norm(arrays, impl)
        return result
    return _run(arrays, impl)
