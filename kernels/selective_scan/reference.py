"""Plain PyTorch: the specification of the selective scan.

K members · B sequences · T positions · C channels · S states per channel
"""

import torch
from torch.nn import functional as F

from geomem.kernels.selective_scan.api import ScanResult
from geomem.kernels.selective_scan.problem import Inputs, Options


def selective_scan(x: Inputs, options: Options) -> ScanResult:
    """Return what `geomem.kernels.selective_scan` says it equals."""
    u, delta, a, b, c, d, z, delta_bias, initial_state = x
    lengths = options.lengths
    (K, B, T, C), S, dtype = u.shape, a.shape[2], u.dtype
    if lengths is not None:
        past = torch.arange(T, device=u.device)[:, None] >= lengths[:, :, None, None]
        u, delta, b, c = (t.masked_fill(past, 0) for t in (u, delta, b, c))
        z = None if z is None else z.masked_fill(past, 0)
    u, dt, b, c = (t.to(a.dtype) for t in (u, delta, b, c))
    if delta_bias is not None:
        dt = dt + delta_bias[:, None, None]
    if options.softplus:
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
    return ScanResult(y.to(dtype), h if options.last_state else h[:, :0])
