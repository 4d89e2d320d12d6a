"""The Triton implementation: one launch forward, one backward, which draws again.

With kept = 1 where the draw is not below the rate, else 0:
    y = x kept / (1 - rate)        dx = round(dy / (1 - rate)) kept, rounded to x's type
Every operation is that of the reference, in its order, so that the bits are the same, of zeros'
signs too: divisions are rounded to nearest, integers are unsigned and wrap.

K members
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# ruff: noqa: ANN001, ANN201, ANN202

from math import ceil

import torch
import triton
import triton.language as tl
from torch import Tensor

from geomem.kernels import streams
from geomem.kernels._tiles import acc_type_of, narrow, widen
from geomem.kernels.dropout import configs
from geomem.kernels.dropout.reference import ELEMENT_BITS, FRACTION_BITS

GOLDEN = tl.constexpr(streams.GOLDEN % 2**64)
MIX_1 = tl.constexpr(streams.MIX_1 % 2**64)
MIX_2 = tl.constexpr(streams.MIX_2 % 2**64)
OF_A_SITE = tl.constexpr(ELEMENT_BITS)
ONE = tl.constexpr(1 << FRACTION_BITS)
# The next site's number may lie at any address; a kernel compiled for each kind gains nothing.
_jit = triton.jit(do_not_specialize_on_alignment=["site"])


@triton.jit
def _over(a, b):
    """a / b, rounded to nearest; `/` of float32 is not."""
    return tl.div_rn(a, b) if a.dtype == tl.float32 else a / b


@triton.jit
def _drawn(keys, rates, site, count, tiles, BLOCK: tl.constexpr, acc: tl.constexpr):
    """Of a program's elements: where they begin, which follow, if there, kept, and 1 - rate."""
    k, first = tl.program_id(0) // tiles, (tl.program_id(0) % tiles).to(tl.int64) * BLOCK
    offset = tl.arange(0, BLOCK)
    z = (tl.load(site).to(tl.uint64) << OF_A_SITE) + first.to(tl.uint64) + 1
    z = tl.load(keys + k).to(tl.uint64) + z * GOLDEN + offset.to(tl.uint64) * GOLDEN
    z = (z ^ (z >> 30)) * MIX_1
    z = (z ^ (z >> 27)) * MIX_2
    draw = ((z ^ (z >> 31)) & (ONE - 1)).to(tl.int64)
    rate = tl.load(rates + k)
    kept = (draw >= (rate * ONE).to(tl.int64)).to(acc)
    begin = k.to(tl.int64) * count + first
    return begin, offset, offset < count - first, kept, (1 - rate).to(acc)


@_jit
def forward_kernel(x, keys, rates, site, y, count, tiles, BLOCK: tl.constexpr, acc: tl.constexpr):
    at, offset, ok, kept, rest = _drawn(keys, rates, site, count, tiles, BLOCK, acc)
    value = widen(tl.load(x + at + offset, mask=ok, other=0.0), acc)
    tl.store(y + at + offset, _over(value * kept, rest), mask=ok)


@_jit
def backward_kernel(
    dy, keys, rates, site, dx, count, tiles, BLOCK: tl.constexpr, acc: tl.constexpr
):
    at, offset, ok, kept, rest = _drawn(keys, rates, site, count, tiles, BLOCK, acc)
    value = _over(tl.load(dy + at + offset, mask=ok, other=0.0), rest)
    value = widen(narrow(value, dx.dtype.element_ty), acc) * kept
    tl.store(dx + at + offset, narrow(value, dx.dtype.element_ty), mask=ok)


def _launch(
    kernel, source: Tensor, keys: Tensor, rates: Tensor, site: Tensor, found: Tensor
) -> Tensor:
    K, count = found.shape[0], found[0].numel()
    tile = configs.tile(count)
    tiles = ceil(count / tile.elements)
    with torch.cuda.device_of(source):
        kernel[(K * tiles,)](
            source, keys, rates, site, found, count, tiles,
            BLOCK=tile.elements, acc=acc_type_of(source.dtype), num_warps=tile.warps,
        )  # fmt: skip
    return found


def forward(x: Tensor, keys: Tensor, rates: Tensor, site: Tensor) -> Tensor:
    """Return y, without waiting for the device; all are contiguous."""
    wide = torch.promote_types(x.dtype, torch.float32)
    return _launch(forward_kernel, x, keys, rates, site, torch.empty_like(x, dtype=wide))


def backward(dy: Tensor, keys: Tensor, rates: Tensor, site: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the gradient of x, of its dtype."""
    dy = dy.contiguous()
    return _launch(backward_kernel, dy, keys, rates, site, torch.empty_like(dy, dtype=dtype))
