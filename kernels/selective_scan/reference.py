"""Plain PyTorch: the specification of the selective scan.

K members · B sequences · T positions · C channels · S states per channel
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from geomem.kernels.selective_scan.api import ScanResult


def selective_scan(
    u: Tensor,
    delta: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor | None,
    z: Tensor | None,
    delta_bias: Tensor | None,
    initial_state: Tensor | None,
    lengths: Tensor | None,
    delta_softplus: bool,
    last_state: bool,
) -> ScanResult:
    """Reference of `geomem.kernels.selective_scan`, same arguments."""
    (K, B, T, C), S, dtype = u.shape, a.shape[2], u.dtype
    if lengths is not None:
        past = torch.arange(T, device=u.device)[:, None] >= lengths[:, :, None, None]
        u, delta, b, c = (x.masked_fill(past, 0) for x in (u, delta, b, c))
        z = None if z is None else z.masked_fill(past, 0)
    u, dt, b, c = (x.to(a.dtype) for x in (u, delta, b, c))
    if delta_bias is not None:
        dt = dt + delta_bias[:, None, None]
    if delta_softplus:
        dt = torch.logaddexp(dt, dt.new_zeros(()))  # F.softplus is linear from 20 on
    if lengths is not None:
        dt = dt.masked_fill(past, 0)
    h = u.new_zeros(K, B, C, S) if initial_state is None else initial_state.expand(K, B, C, S)
    rows = []
    for t in range(T):
        decay = torch.exp(dt[:, :, t, :, None] * a[:, None])
        h = decay * h + (dt * u)[:, :, t, :, None] * b[:, :, t, None]
        rows.append((h * c[:, :, t, None]).sum(3))
    y = torch.stack(rows, 2)
    if d is not None:
        y = y + d[:, None, None] * u
    if z is not None:
        y = y * F.silu(z.to(a.dtype))
    return ScanResult(y.to(dtype), h if last_state else h[:, :0])
