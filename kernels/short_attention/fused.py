"""The Triton implementation: launches the kernels and adds up their partial results.

K members · B sequences · T positions · P positions of the prefix · H heads · Dh width of a head
"""

from math import ceil
from typing import Any

import torch
from torch import Tensor

from geomem.kernels._tiles import acc_type_of
from geomem.kernels.short_attention import configs
from geomem.kernels.short_attention.backward import backward_kernel
from geomem.kernels.short_attention.forward import forward_kernel
from geomem.kernels.short_attention.problem import Inputs


def forward(x: Inputs) -> Tensor:
    """Attend on the device of q, without waiting for it."""
    x = _laid_out(x)
    o = x.q.new_empty(x.q.shape)
    with torch.cuda.device_of(o):
        grid, arguments = _arguments(x)
        forward_kernel[grid](**arguments, o=o)
    return o


def backward(x: Inputs, do: Tensor) -> list[Tensor]:
    """Return gradients in the order of Inputs, [0] for what is None."""
    x, do = _laid_out(x), _inner(do)
    K, P, H, Dh = x.q.shape[0], x.prefix, *x.q.shape[3:]
    dq, dk, dv = (x.q.new_empty(x.q.shape) for _ in range(3))
    with torch.cuda.device_of(do):
        grid, arguments = _arguments(x)
        sums, of_keys, of_values = None, None, None
        if x.prefix_k is not None:
            wide = torch.float64 if do.dtype == torch.float64 else torch.float32
            sums = do.new_empty((2, K, arguments["tiles"], P, H, Dh), dtype=wide)
            of_keys, of_values = sums.unbind()
        backward_kernel[grid](
            **arguments, do=do, dq=dq, dk=dk, dv=dv, dprefix_k=of_keys, dprefix_v=of_values,
            **_strides("do", do, "kbth"),
        )  # fmt: skip
    if sums is None:
        return [dq, dk, dv, do.new_empty(0), do.new_empty(0)]
    return [dq, dk, dv, *sums.sum(2).to(do.dtype).unbind()]


def _arguments(x: Inputs) -> tuple[tuple[int], dict[str, Any]]:
    """Grid of both kernels, and the arguments that they share."""
    (K, B, T, H, Dh), P = x.q.shape, x.prefix
    rows, columns = configs.rows(x.q.dtype, T, P, Dh), configs.columns(Dh)
    per = configs.sequences(rows, T, P)
    tiles = ceil(B / per)
    arguments = {
        **x._asdict(),
        **{"B": B, "T": T, "P": P, "H": H, "per": per, "tiles": tiles},
        **_strides("q", x.q, "kbth"),
        **_strides("k", x.k, "kbth"),
        **_strides("v", x.v, "kbth"),
        **_strides("prefix_k", x.prefix_k, "kph"),
        **_strides("prefix_v", x.prefix_v, "kph"),
        **{"DH": Dh, "BM": rows, "BD": columns, "acc_type": acc_type_of(x.q.dtype)},
        **{"num_warps": configs.WARPS[x.q.dtype][rows][columns], "num_stages": 1},
    }
    return (K * H * tiles,), arguments


def _strides(name: str, t: Tensor | None, letters: str) -> dict[str, int]:
    """NAME_letter for all strides but the last, which is 1; 0 for None."""
    return {f"{name}_{c}": 0 if t is None else t.stride(i) for i, c in enumerate(letters)}


def _laid_out(x: Inputs) -> Inputs:
    prefix = (None if t is None else _inner(t) for t in (x.prefix_k, x.prefix_v))
    return Inputs(_inner(x.q), _inner(x.k), _inner(x.v), *prefix)


def _inner(t: Tensor) -> Tensor:
    return t if t.stride(-1) == 1 else t.contiguous()
