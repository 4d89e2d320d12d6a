"""The CPU's scan: PyTorch operations on tiles that stay in a core's cache, with its own backward.

Nothing is saved but the inputs: the backward pass makes the states of a tile again.
"""

from collections.abc import Iterator

from torch import Tensor

from geomem.kernels.selective_scan.eager_tile import Tile
from geomem.kernels.selective_scan.problem import (
    Inputs,
    Options,
    Results,
    new_gradients,
    new_results,
)

TILE = 1 << 18  # elements of a state at a time


def _tiles(x: Inputs) -> Iterator[tuple[slice, slice]]:
    """Yield some members with all sequences at a time, or some sequences of one member."""
    (K, B, _, C), S = x.u.shape, x.a.shape[2]
    members = max(1, TILE // (B * C * S))
    rows = B if members > 1 else max(1, TILE // (C * S))
    for k in range(0, K, members):
        for b in range(0, B, rows):
            yield slice(k, k + members), slice(b, b + rows)


def forward(x: Inputs, options: Options) -> Results:
    """Run the scan tile by tile."""
    results = new_results(x, options.last_state, saved_rows=0)
    for at in _tiles(x):
        results.y[at], h = Tile(x, options, at).forward(options.last_state)
        if h is not None:
            results.last_state[at] = h
    return results


def backward(
    x: Inputs, options: Options, saved: Tensor, dy: Tensor, dlast: Tensor | None
) -> list[Tensor]:
    """Return gradients in the order of Inputs, [0] for what is None."""
    grads, dn = new_gradients(x), None
    per_member = [t is not None and (t.dim() < 4 or t.shape[1] == 1) for t in x]
    for whole, summed in zip(grads, per_member, strict=True):
        if summed:
            whole.zero_()
    for at in _tiles(x):
        if dlast is not None and options.last_state:
            dn = dlast[at].mT.contiguous()
        parts = Tile(x, options, at).backward(dy[at], dn)
        for whole, part, given, summed in zip(grads, parts, x, per_member, strict=True):
            if given is None or part is None:
                continue
            if summed:
                whole[at[0]] += part
            else:
                whole[at] = part
    return grads
