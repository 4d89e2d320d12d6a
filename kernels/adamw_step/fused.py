"""The Triton implementation: one launch per array, for all members.

K members · P elements of a member in an array
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201, ANN202

from math import ceil

import torch
import triton
import triton.language as tl
from torch import Tensor

from geomem.kernels._tiles import expm1, log1p, narrow
from geomem.kernels.adamw_step import configs
from geomem.kernels.adamw_step.problem import AdamWHyper, Array, Arrays

NAMES = ("parameters", "gradients", "first", "second", "shadow")


@triton.jit
def _correction(beta, step):
    """1 - beta^step to its last digits; log(beta) is -log1p((1 - beta) / beta), exact near 1."""
    return -expm1(-step * log1p((1 - beta) / beta))


@triton.jit
def step_kernel(
    parameters, gradients, first, second, shadow,
    lr, weight_decay, beta1, beta2, eps, scale, step, active,
    P, blocks, parameters_k, gradients_k, first_k, second_k, shadow_k,
    BLOCK: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    k = (program // blocks).to(tl.int64)
    if tl.load(active + k) == 0:
        return
    start = (program % blocks).to(tl.int64) * BLOCK
    i = tl.arange(0, BLOCK)
    inside = i < P - start
    at_p, at_g = parameters + k * parameters_k + start + i, gradients + k * gradients_k + start + i
    at_m, at_v = first + k * first_k + start + i, second + k * second_k + start + i
    g = tl.load(at_g, mask=inside, other=0.0) * tl.load(scale + k)
    m = tl.load(at_m, mask=inside, other=0.0)
    v = tl.load(at_v, mask=inside, other=0.0)
    p = tl.load(at_p, mask=inside, other=0.0)
    b1, b2 = tl.load(beta1 + k), tl.load(beta2 + k)
    rate, t = tl.load(lr + k), tl.load(step + k)
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g * g
    denominator = tl.sqrt(v / _correction(b2, t)) + tl.load(eps + k)
    kept = 1 - rate * tl.load(weight_decay + k)
    p = p * kept - rate / _correction(b1, t) * m / denominator
    tl.store(at_m, m, mask=inside)
    tl.store(at_v, v, mask=inside)
    tl.store(at_p, p, mask=inside)
    if shadow is not None:
        at_s = shadow + k * shadow_k + start + i
        tl.store(at_s, narrow(p, shadow.dtype.element_ty), mask=inside)


def run(x: Arrays, hyper: AdamWHyper, active: Tensor) -> None:
    """Advance on the device of the parameters, without waiting for it."""
    settings = {name: t.contiguous() for name, t in hyper._asdict().items()}
    with torch.cuda.device_of(x.parameters[0]):
        for array in x.each():
            _launch(array, settings, active.contiguous())


def _launch(array: Array, settings: dict[str, Tensor], active: Tensor) -> None:
    K, P = array[0].shape
    block = configs.block(P)
    blocks = ceil(P / block["BLOCK"])
    pairs = zip(NAMES, array, strict=True)
    strides = {f"{name}_k": 0 if t is None else t.stride(0) for name, t in pairs}
    step_kernel[(K * blocks,)](
        *array, **settings, active=active, P=P, blocks=blocks, **strides, **block
    )
