"""What every implementation takes and returns.

K members · B sequences · T positions · C channels · S states per channel
"""

from typing import NamedTuple

from torch import Tensor


class Inputs(NamedTuple):
    """The differentiable arguments of `selective_scan` in its order, or their gradients."""

    u: Tensor
    delta: Tensor
    a: Tensor
    b: Tensor
    c: Tensor
    d: Tensor | None
    z: Tensor | None
    delta_bias: Tensor | None
    initial_state: Tensor | None


class Options(NamedTuple):
    """The other arguments of `selective_scan`."""

    lengths: Tensor | None
    softplus: bool
    last_state: bool


class Results(NamedTuple):
    """y [K,B,T,C], last_state [K,B,C,S] or [K,0,C,S], and what an implementation saves."""

    y: Tensor
    last_state: Tensor
    saved: Tensor


def new_results(x: Inputs, last_state: bool, saved_rows: int) -> Results:
    """Allocate the results; states lie with their channels last, whatever their shape says."""
    (K, B, T, C), S = x.u.shape, x.a.shape[2]
    last = x.a.new_empty(K, B if last_state else 0, S, C).mT
    return Results(x.u.new_empty(K, B, T, C), last, x.a.new_empty(K, saved_rows, S, C))


def new_gradients(x: Inputs) -> list[Tensor]:
    """Allocate gradients in the order of Inputs, [0] for what is None; states channels last."""

    def like(t: Tensor | None, states: bool) -> Tensor:
        if t is None:
            return x.u.new_empty(0)
        return t.new_empty(t.mT.shape).mT if states else t.new_empty(t.shape)

    return [
        like(t, name in ("a", "initial_state")) for name, t in zip(Inputs._fields, x, strict=True)
    ]
