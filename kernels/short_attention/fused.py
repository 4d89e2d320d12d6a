"""The Triton implementation: launches the kernels, one per block and pass.

K members · B sequences · T positions · P positions of the prefix · H heads · Dh width of a head
"""

from math import ceil
from typing import Any, NamedTuple

import torch
from torch import Tensor

from geomem.kernels._tiles import acc_type_of
from geomem.kernels.short_attention import configs
from geomem.kernels.short_attention.backward import backward_kernel, prefix_kernel
from geomem.kernels.short_attention.forward import forward_kernel
from geomem.kernels.short_attention.problem import Inputs

PARTS = 4096  # numbers of partial sums before a program at once


class Packed(NamedTuple):
    """What attention over a packed projection has besides Inputs; all None without one.

    prefix_q: [K,P,H,Dh], queries of the prefix itself; bias: [K,3,H,Dh], still to be added to
    queries, keys and values.
    """

    prefix_q: Tensor | None = None
    bias: Tensor | None = None


class Given(NamedTuple):
    """Gradients of the result [K,B,T,H,Dh], and of that of the prefix's queries [K,P,H,Dh]."""

    do: Tensor
    prefix_do: Tensor | None = None


class Found(NamedTuple):
    """Where gradients go: of Inputs, each three of them alike laid out, and of Packed.

    dbias: [K, tiles, 3, H, Dh], a part from each tile.
    """

    grads: Inputs
    prefix_q: Tensor | None = None
    dbias: Tensor | None = None


def forward(x: Inputs) -> Tensor:
    """Attend on the device of q, without waiting for it."""
    o = x.q.new_empty(x.q.shape)
    attend(x, Packed(), o, None)
    return o


def backward(x: Inputs, do: Tensor) -> list[Tensor]:
    """Return gradients in the order of Inputs, [0] for what is None."""
    grads = [None if t is None else do.new_empty(t.shape) for t in x]
    differentiate(x, Packed(), Given(do), Found(Inputs(*grads)))  # type: ignore[arg-type]
    return [do.new_empty(0) if t is None else t for t in grads]


def attend(x: Inputs, packed: Packed, o: Tensor, prefix_o: Tensor | None) -> None:
    """Write the result to o [K,B,T,H,Dh], and that of the prefix's queries to prefix_o."""
    with torch.cuda.device_of(o):
        grid, arguments = _arguments(x, packed)
        forward_kernel[grid](
            **arguments, o=o, prefix_o=prefix_o,
            **_strides("o", o, "kbth"), **_strides("prefix_o", prefix_o, "kph"),
        )  # fmt: skip


def differentiate(x: Inputs, packed: Packed, given: Given, found: Found) -> None:
    """Write the gradients of what `attend` writes."""
    given = Given(*(None if t is None else _inner(t) for t in given))  # type: ignore[arg-type]
    dq, dk, dv, *of_prefix = found.grads
    K, H, Dh = x.q.shape[0], *x.q.shape[3:]
    with torch.cuda.device_of(x.q):
        grid, arguments = _arguments(x, packed)
        parts: tuple[Tensor | None, ...] = (None, None)
        if x.prefix_k is not None:
            wide = torch.float64 if x.q.dtype == torch.float64 else torch.float32
            shape = (2, K, arguments["tiles"], x.prefix, H, Dh)
            parts = x.q.new_empty(shape, dtype=wide).unbind()
        backward_kernel[grid](
            **arguments, **given._asdict(), dq=dq, dk=dk, dv=dv, dprefix_q=found.prefix_q,
            part_k=parts[0], part_v=parts[1], dbias=found.dbias,
            **_strides("do", given.do, "kbth"), **_strides("prefix_do", given.prefix_do, "kph"),
            **_strides("d", dq, "kbth"), **_strides("dprefix", of_prefix[0], "kph"),
            dbias_k=0 if found.dbias is None else found.dbias.stride(0),
        )  # fmt: skip
        if x.prefix_k is not None:
            columns = configs.columns(Dh)
            prefix_kernel[(K * x.prefix * H,)](
                *parts, *of_prefix, arguments["tiles"], x.prefix, H,
                **_strides("d", of_prefix[0], "kph"),
                DH=Dh, BT=PARTS // columns, BD=columns, num_warps=4,
            )  # fmt: skip


def tiles(x: Inputs) -> int:
    """Return how many programs share a head of a member."""
    (_, B, T, _, Dh), P = x.q.shape, x.prefix
    return ceil(B / configs.sequences(configs.rows(x.q.dtype, T, P, Dh), T, P))


def _arguments(x: Inputs, packed: Packed) -> tuple[tuple[int], dict[str, Any]]:
    """Grid of both kernels, and the arguments that they share."""
    x = Inputs(*(None if t is None else _inner(t) for t in x))  # type: ignore[arg-type]
    (K, B, T, H, Dh), P = x.q.shape, x.prefix
    rows, columns = configs.rows(x.q.dtype, T, P, Dh), configs.columns(Dh)
    arguments = {
        **x._asdict(),
        **packed._asdict(),
        **{"B": B, "T": T, "P": P, "H": H, "per": configs.sequences(rows, T, P)},
        **{"tiles": tiles(x)},
        **_strides("q", x.q, "kbth"),
        **_strides("k", x.k, "kbth"),
        **_strides("v", x.v, "kbth"),
        **_strides("prefix_q", packed.prefix_q, "kph"),
        **_strides("prefix_k", x.prefix_k, "kph"),
        **_strides("prefix_v", x.prefix_v, "kph"),
        **{"DH": Dh, "BM": rows, "BD": columns, "acc_type": acc_type_of(x.q.dtype)},
        **{"num_warps": configs.WARPS[x.q.dtype][rows][columns], "num_stages": 1},
    }
    return (K * H * arguments["tiles"],), arguments


def _strides(name: str, t: Tensor | None, letters: str) -> dict[str, int]:
    """NAME_letter for all strides but the last, which is 1; 0 for None."""
    return {f"{name}_{c}": 0 if t is None else t.stride(i) for i, c in enumerate(letters)}


def _inner(t: Tensor) -> Tensor:
    return t if t.stride(-1) == 1 else t.contiguous()
