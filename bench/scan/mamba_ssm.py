"""The CUDA scan of mamba-ssm under autograd, from its extension alone (see build_mamba_ssm)."""

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from geomem.bench.scan.inputs import ScanInputs

EXTENSION = "selective_scan_cuda"


def why_missing(device: str) -> str:
    """Return why the extension cannot run, or nothing."""
    if device != "cuda":
        return "needs CUDA"
    try:
        import_module(EXTENSION)
    except ImportError as error:
        return f"no {EXTENSION}: {error}; see geomem.bench.build_mamba_ssm"
    return ""


class _Scan(torch.autograd.Function):
    """u, delta, z: [B,C,T]; a: [C,S]; b, c: [B,1,S,T]; d, delta_bias: [C]; positions adjacent."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Tensor:
        u, delta, a, b, c, d, z, bias = tensors
        extension: Any = import_module(EXTENSION)
        gated: Tensor
        out, states, gated = extension.fwd(u, delta, a, b, c, d, z, bias, True)
        ctx.save_for_backward(*tensors, states, out)
        return gated

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        u, delta, a, b, c, d, z, bias, states, out = ctx.saved_tensors
        extension: Any = import_module(EXTENSION)
        du, ddelta, da, db, dc, dd, dbias, dz = extension.bwd(
            *(u, delta, a, b, c, d, z, bias, grads[0].contiguous(), states, out, None, True, False)
        )
        return du, ddelta, da, db.to(b.dtype), dc.to(c.dtype), dd, dz, dbias


def scan(i: ScanInputs) -> Tensor:
    """Scan one member, [1, …], laid out by `channels_first`: its transposes then cost nothing."""
    u, delta, b, c, z = (t[0].transpose(1, 2) for t in (i.u, i.delta, i.b, i.c, i.z))
    y: Tensor = _Scan.apply(u, delta, i.a[0], b[:, None], c[:, None], i.d[0], z, i.delta_bias[0])
    return y.transpose(1, 2)[None]
