"""One tile of the CPU's scan, forward and backward: a few sequences over all their steps.

With f_t = dt_t u_t, E_t = exp(dt_t a), X_t = E_t h_{t-1} and N_t the gradient that step t+1 hands
to h_t:
    h_t  = X_t + b_t f_t                    y_t  = r_t silu(z_t)
    r_t  = sum_S c_t X_t + (b_t.c_t) f_t + d u_t
    dr_t = dy_t silu(z_t)                   G_t  = N_t + c_t dr_t,  N_{t-1} = E_t G_t
    dc_t = sum_C dr_t X_t + b_t (dr_t.f_t)  db_t = sum_C f_t N_t + c_t (dr_t.f_t)
    df_t = sum_S b_t N_t + (b_t.c_t) dr_t   du_t = dt_t df_t + d dr_t
    ddt_t = sum_S a G_t X_t + u_t df_t      da   = sum_t dt_t G_t X_t
A step's own part needs no tensor with both S and C, and all steps' are made at once; the rest,
through X and N, goes step by step, and a single step without a start has none.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from geomem.kernels.selective_scan.problem import Inputs, Options

_LOG2_E = 1.4426950408889634  # exp2 is several times as fast as exp on a CPU


def _dot(x: Tensor, y: Tensor) -> Tensor:
    return (x * y).sum(-1, keepdim=True)


class Tile:
    """Inputs of a tile, cast and masked: u, z, raw, dt, f [k,b,T,C]; b, c [k,b,T,S]; a [k,1,S,C].

    raw is dt before the softplus; start [k,b,S,C], or [k,1,S,C] if shared, may be None.
    """

    def __init__(self, x: Inputs, options: Options, at: tuple[slice, slice]) -> None:
        k, dtype, self.past, self.softplus = at[0], x.a.dtype, None, options.softplus
        if options.lengths is not None:
            steps = torch.arange(x.u.shape[2], device=x.u.device)
            self.past = (steps >= options.lengths[at][..., None])[..., None]
        self.u, self.b, self.c, raw = (self.mask(t[at].to(dtype)) for t in (x.u, x.b, x.c, x.delta))
        self.z = None if x.z is None else self.mask(x.z[at].to(dtype))
        self.raw = raw if x.delta_bias is None else raw + x.delta_bias[k, None, None]
        self.dt = self.mask(F.softplus(self.raw, 1, 40) if self.softplus else self.raw)
        self.f = self.dt * self.u
        self.a = x.a[k].mT.contiguous()[:, None]
        self.d = None if x.d is None else x.d[k, None, None]
        self.start = None
        if x.initial_state is not None:
            shared = x.initial_state.shape[1] == 1
            self.start = x.initial_state[k, slice(None) if shared else at[1]].mT.contiguous()
        self.last: Tensor | None = None
        self.shared = self.start is not None and self.start.shape[1] == 1

    def mask(self, x: Tensor) -> Tensor:
        """Return x with zeros past the sequences' lengths."""
        return x if self.past is None else x.masked_fill(self.past, 0)

    def forward(self, last_state: bool) -> tuple[Tensor, Tensor | None]:
        """Return y [k,b,T,C] and, if it is wanted, the last state [k,b,C,S]."""
        r = self._read(x for _, x in self._steps(last_state))
        y = r if self.z is None else r.mul_(F.silu(self.z))
        return y, None if self.last is None else self.last.mT

    def _steps(self, last_state: bool) -> Iterator[tuple[Tensor | None, Tensor | None]]:
        """E_t and X_t of every step, None where nothing is carried."""
        h, a_log2 = self.start, self.a * _LOG2_E
        rows = [t.unbind(2) for t in (self.dt, self.f, self.b)]
        T = self.u.shape[2]
        for t, (dt, f, b) in enumerate(zip(*rows, strict=True)):
            decay = None if h is None else torch.mul(dt[:, :, None], a_log2).exp2_()
            x = None if h is None or decay is None else decay * h
            yield decay, x
            if t < T - 1 or last_state:
                b, f = b[..., None], f[:, :, None]
                h = b * f if x is None else torch.addcmul(x, b, f)
        self.last = h if last_state else None

    def _read(self, carried: Iterable[Tensor | None]) -> Tensor:
        """r of all steps, [k,b,T,C]."""
        r = _dot(self.b, self.c) * self.f
        if self.d is not None:
            r.addcmul_(self.d, self.u)
        for t, x in enumerate(carried):
            if x is not None:
                r[:, :, t] += (self.c[:, :, t, None] @ x)[:, :, 0]
        return r

    def backward(self, dy: Tensor, dlast: Tensor | None) -> Inputs:
        """Gradients; those of a, d, delta_bias and a shared start are summed over the rows."""
        steps = list(self._steps(last_state=False))
        dr, dz = self.mask(dy.to(self.u.dtype)), None
        if self.z is not None:
            dz = torch.ops.aten.silu_backward(dr * self._read(x for _, x in steps), self.z)
            dr = dr * F.silu(self.z)
        db, dc, df, ddt, da, dstart = self._backward_steps(steps, dr, dlast)
        ddelta = self.mask(ddt.addcmul_(df, self.u))
        if self.softplus:
            ddelta.mul_(self.raw.sigmoid())
        du, dd = df.mul_(self.dt), None
        if self.d is not None:
            du.addcmul_(self.d, dr)
            dd = (dr * self.u).sum((1, 2))
        if dstart is not None:
            dstart = (dstart.sum(1, keepdim=True) if self.shared else dstart).mT
        return Inputs(du, ddelta, da[:, 0].mT, db, dc, dd, dz, ddelta.sum((1, 2)), dstart)

    def _backward_steps(
        self, steps: list[tuple[Tensor | None, Tensor | None]], dr: Tensor, n: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | None]:
        """Run G and N from the last step to the first; uses up the X of `steps`."""
        own = _dot(dr, self.f)
        db, dc, df = self.c * own, self.b * own, _dot(self.b, self.c) * dr
        ddt, da = torch.zeros_like(dr), torch.zeros_like(self.a)
        for t, (decay, x) in reversed(list(enumerate(steps))):
            if n is not None:
                db[:, :, t] += (n * self.f[:, :, t, None]).sum(3)
                df[:, :, t] += (self.b[:, :, t, None] @ n)[:, :, 0]
            if decay is None or x is None:
                continue
            row, c = dr[:, :, t, None], self.c[:, :, t, :, None]
            dc[:, :, t] += (x * row).sum(3)
            g = c * row if n is None else torch.addcmul(n, c, row)
            x.mul_(g)
            ddt[:, :, t] = (x * self.a).sum(2)
            da += x.mul_(self.dt[:, :, t, None]).sum(1, keepdim=True)
            n = g.mul_(decay)
        return db, dc, df, ddt, da, n if self.start is not None else None
