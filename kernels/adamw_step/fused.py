"""The Triton implementation: one launch for all members and many arrays.

K members · P elements of a member in an array
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201, ANN202

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from geomem.kernels._arrays import Batch, batches, locate, row
from geomem.kernels._tiles import expm1, log1p, widen
from geomem.kernels.adamw_step.problem import AdamWHyper, Arrays


@triton.jit
def _correction(beta, step):
    """1 - beta^step to its last digits; log(beta) is -log1p((1 - beta) / beta), exact near 1."""
    return -expm1(-step * log1p((1 - beta) / beta))


@triton.jit(do_not_specialize=["K"])
def step_kernel(
    parameters, gradients, first, second,
    parameters_k, gradients_k, first_k, second_k, sizes, K,
    lr, weight_decay, beta1, beta2, eps, scale, step, active,
    N: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    array, first_program, P = locate(sizes, K, program, N, BLOCK)
    own, blocks = program - first_program, tl.cdiv(P, BLOCK)
    k, start = (own // blocks).to(tl.int64), (own % blocks).to(tl.int64) * BLOCK
    if tl.load(active + k) == 0:
        return
    i = tl.arange(0, BLOCK)
    inside = i < P - start
    at_p = row(parameters, parameters_k, array, k, start, N)
    at_g = row(gradients, gradients_k, array, k, start, N)
    at_m = row(first, first_k, array, k, start, N)
    at_v = row(second, second_k, array, k, start, N)
    g = widen(tl.load(at_g + i, mask=inside, other=0.0), at_p.dtype.element_ty) * tl.load(scale + k)
    m = tl.load(at_m + i, mask=inside, other=0.0)
    v = tl.load(at_v + i, mask=inside, other=0.0)
    p = tl.load(at_p + i, mask=inside, other=0.0)
    b1, b2 = tl.load(beta1 + k), tl.load(beta2 + k)
    rate, t = tl.load(lr + k), tl.load(step + k)
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g * g
    denominator = tl.sqrt(v / _correction(b2, t)) + tl.load(eps + k)
    kept = 1 - rate * tl.load(weight_decay + k)
    p = p * kept - rate / _correction(b1, t) * m / denominator
    tl.store(at_m + i, m, mask=inside)
    tl.store(at_v + i, v, mask=inside)
    tl.store(at_p + i, p, mask=inside)


def run(x: Arrays, hyper: AdamWHyper, active: Tensor) -> None:
    """Advance on the device of the parameters, without waiting for it."""
    settings = {name: t.contiguous() for name, t in hyper._asdict().items()}
    settings["active"], K = active.contiguous(), len(active)
    with torch.cuda.device_of(active):
        for batch in batches([g.shape[1] for g in x.gradients], [g.dtype for g in x.gradients]):
            step_kernel[(K * batch.blocks,)](
                **_tensors(x, batch), **settings, **batch.options,
                sizes=batch.sizes, K=K, N=len(batch.places),
            )  # fmt: skip


def _tensors(x: Arrays, batch: Batch) -> dict[str, Any]:
    """Tuples of the tensors of a batch and of the distances between their rows."""
    found: dict[str, Any] = {}
    for name, array in x._asdict().items():
        found[name] = tuple(array[place] for place in batch.places)
        found[f"{name}_k"] = tuple(t.stride(0) for t in found[name])
    return found
