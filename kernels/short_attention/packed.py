"""Attention of a packed projection: of all blocks of rows, the prefixes among themselves included.

K members · R rows of all blocks · H heads · Dh width of a head
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from geomem.kernels._refusal import refuse
from geomem.kernels.blocks import Block, apart, rows_of
from geomem.kernels.choice import runs_triton
from geomem.kernels.short_attention.api import implementation, short_attention
from geomem.kernels.short_attention.problem import Inputs

_refuse = partial(refuse, "packed_attention")


def packed_attention(
    qkv: Tensor, blocks: Sequence[Block], *, bias: Tensor | None = None, impl: str = "auto"
) -> Tensor:
    """Let sequences attend to their block's prefix and to themselves, and prefixes to themselves.

    Equals `short_attention` of each block's prefix, and of its sequences after that prefix, of the
    parts of qkv + bias, put side by side as the rows are.

    qkv: [K, R, 3, H, Dh], R the rows of all blocks; bias: [K, 3, H, Dh], float32 (float64 for
    float64), or None. Returns [K, R, H, Dh].
    impl: as of `short_attention`. With "triton" for every block what is read and written is not put
    together or taken apart, and the bias costs no pass of its own.
    Raises ValueError for shapes, dtypes and devices that do not fit and for an impl that cannot
    run here.
    Source: Vaswani et al., "Attention is all you need" (2017).
    """
    _check(qkv, blocks, bias)
    kernels = runs_triton(qkv.device.type) and not torch.compiler.is_compiling()
    if kernels and all(_implementation(qkv, block, impl) == "triton" for block in blocks):
        result: Tensor = _Packed.apply(qkv, bias, tuple(blocks))
        return result
    return put_together(qkv, blocks, bias, partial(short_attention, impl=impl))


def _check(qkv: Tensor, blocks: Sequence[Block], bias: Tensor | None) -> None:
    if qkv.dim() != 5 or qkv.shape[2] != 3 or 0 in qkv.shape:
        _refuse("qkv", "[K,R,3,H,Dh] and not empty", tuple(qkv.shape))
    if not qkv.is_floating_point():
        _refuse("qkv", "of a float dtype", qkv.dtype)
    if any(P < 0 or B < 1 or T < 1 for P, B, T in blocks):
        _refuse("blocks", "of P >= 0, B >= 1 and T >= 1", list(map(tuple, blocks)))
    if rows_of(blocks) != qkv.shape[1]:
        _refuse("blocks", f"of {qkv.shape[1]} rows", rows_of(blocks))
    if bias is None:
        return
    shape, wide = (qkv.shape[0], *qkv.shape[2:]), torch.promote_types(qkv.dtype, torch.float32)
    if bias.shape != shape:
        _refuse("bias", tuple(shape), tuple(bias.shape))
    if bias.dtype != wide or bias.device != qkv.device:
        _refuse("bias", f"{wide} on {qkv.device}", f"{bias.dtype} on {bias.device}")


def _implementation(qkv: Tensor, block: Block, impl: str) -> str:
    sizes = {"context": block.P + block.T, "width": qkv.shape[4]}
    return implementation(impl, qkv.device.type, qkv.dtype, **sizes)


def put_together(
    qkv: Tensor, blocks: Sequence[Block], bias: Tensor | None, attend: Callable[..., Tensor]
) -> Tensor:
    """Do the same by a function as `short_attention`, block by block."""
    if bias is not None:
        qkv = qkv + bias[:, None].to(qkv.dtype)
    mixed: list[Tensor] = []
    for prefix, tokens in apart(qkv, blocks):
        seen: tuple[Tensor, ...] = ()
        if prefix is not None:
            q, k, v = prefix.unbind(3)
            mixed.append(attend(q, k, v).flatten(1, 2))
            seen = k.squeeze(1), v.squeeze(1)
        mixed.append(attend(*tokens.unbind(3), *seen).flatten(1, 2))
    return torch.cat(mixed, 1)


class _Packed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, bias: Tensor | None, blocks: Sequence[Block]) -> Tensor:
        qkv, bias = qkv.contiguous(), None if bias is None else bias.contiguous()
        ctx.save_for_backward(qkv, bias)
        ctx.blocks = blocks
        return run(qkv, bias, blocks)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError('packed_attention: second derivatives need impl="reference"')
        qkv, bias = ctx.saved_tensors
        return *gradients(qkv, bias, ctx.blocks, grads[0]), None


def run(qkv: Tensor, bias: Tensor | None, blocks: Sequence[Block]) -> Tensor:
    """Attend by the kernels."""
    from geomem.kernels.short_attention import fused  # needs Triton

    o = qkv.new_empty((*qkv.shape[:2], *qkv.shape[3:]))
    for rows, to in zip(apart(qkv, blocks), apart(o, blocks), strict=True):
        x, prefix_q = _of(rows)
        prefix_o = None if to[0] is None else to[0].squeeze(1)
        fused.attend(x, fused.Packed(prefix_q, bias), to[1], prefix_o)
    return o


def gradients(
    qkv: Tensor, bias: Tensor | None, blocks: Sequence[Block], do: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Return those of qkv and of the bias, if there is one, by the kernels."""
    from geomem.kernels.short_attention import fused  # needs Triton

    dqkv, inputs = torch.empty_like(qkv), [_of(rows) for rows in apart(qkv, blocks)]
    places = [fused.tiles(x) for x, _ in inputs]
    of_bias = None
    if bias is not None:
        of_bias = bias.new_empty((bias.shape[0], sum(places), *bias.shape[1:]))
    first = 0
    for (x, prefix_q), of, to, tiles in zip(
        inputs, apart(do, blocks), apart(dqkv, blocks), places, strict=True
    ):
        prefix_do = None if of[0] is None else of[0].squeeze(1)
        part = None if of_bias is None else of_bias[:, first : first + tiles]
        fused.differentiate(
            x,
            fused.Packed(prefix_q, bias),
            fused.Given(of[1], prefix_do),
            fused.Found(*_of(to), part),
        )
        first += tiles
    return dqkv, None if of_bias is None else of_bias.sum(1)


def _of(rows: tuple[Tensor | None, Tensor]) -> tuple[Inputs, Tensor | None]:
    """Of a block's packed rows the Inputs, and the queries of its prefix."""
    prefix, tokens = rows
    q, k, v = tokens.unbind(3)
    if prefix is None:
        return Inputs(q, k, v, None, None), None
    prefix_q, prefix_k, prefix_v = prefix.squeeze(1).unbind(2)
    return Inputs(q, k, v, prefix_k, prefix_v), prefix_q
