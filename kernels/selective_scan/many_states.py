"""More states than a kernel holds: scans of some of them at a time, whose y are summed."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from geomem.kernels.selective_scan.configs import MOST_STATES
from geomem.kernels.selective_scan.problem import Inputs

Scan = Callable[[Inputs], tuple[Tensor, ...]]
_PER_STEP = ("u", "delta", "b", "c")


def in_parts(x: Inputs, scan: Scan) -> tuple[Tensor, Tensor]:
    """Return y and last_state of `selective_scan`, by a scan for each MOST_STATES states.

    States do not see each other. The sum and the gate are taken in float32, as in one scan.
    """
    dtype = x.u.dtype
    wide = x._replace(z=None, **{name: getattr(x, name).to(x.a.dtype) for name in _PER_STEP})
    ys, states = [], []
    for first in range(0, x.a.shape[2], MOST_STATES):
        y, state = scan(_some(wide, slice(first, first + MOST_STATES)))
        wide = wide._replace(d=None)  # of the skip there is one
        ys.append(y)
        states.append(state)
    total = torch.stack(ys).sum(0)
    if x.z is not None:
        total = total * F.silu(x.z.to(total.dtype))
    return total.to(dtype), torch.cat(states, -1)


def _some(x: Inputs, states: slice) -> Inputs:
    start = x.initial_state
    return x._replace(
        a=x.a[..., states],
        b=x.b[..., states],
        c=x.c[..., states],
        initial_state=None if start is None else start[..., states],
    )
